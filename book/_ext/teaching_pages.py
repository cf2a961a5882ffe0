"""What the page for lecturers shows of the chapters: it is read from them, not typed."""

from __future__ import annotations

from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective


class _Made(SphinxDirective):
    """Content that is parsed where the directive stands."""

    has_content = False

    def run(self):
        root = Path(self.env.app.srcdir)
        found = nodes.container()
        self.state.nested_parse(StringList(self.text(root).splitlines(), self.env.docname), self.content_offset, found)
        return found.children

    def note(self, *paths):
        for path in paths:
            self.env.note_dependency(str(path))


class LessonTimes(_Made):
    def text(self, root):
        from helpers.book.teaching import lessons, table_of_lessons

        self.note(root / "data" / "results" / "chapters.csv")
        return table_of_lessons(lessons(root))


class LessonGoals(_Made):
    def text(self, root):
        from helpers.book.teaching import lessons, table_of_goals

        return table_of_goals(lessons(root))


class Exam(_Made):
    required_arguments = 1

    def text(self, root):
        from helpers.book.teaching import exam_text, read_exam

        path = Path(self.env.relfn2path(self.arguments[0])[1])
        self.note(path)
        return exam_text(read_exam(path), answers=self.config.exam_answers)


class LessonGraph(SphinxDirective):
    def run(self):
        from helpers.book.teaching import lessons, needs_graph

        return [nodes.raw("", needs_graph(lessons(Path(self.env.app.srcdir))), format="html")]


def setup(app):
    app.add_config_value("exam_answers", False, "env")
    app.add_directive("lesson-times", LessonTimes)
    app.add_directive("lesson-goals", LessonGoals)
    app.add_directive("lesson-graph", LessonGraph)
    app.add_directive("exam", Exam)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
