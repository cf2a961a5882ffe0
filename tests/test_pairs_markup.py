"""Blocks of text out of web pages, help pages, manual pages and catalogues."""

import pytest
from pair_packages import catalogue_of

from helpers.pairs.markup import catalogue_messages, help_blocks, html_blocks, manual_blocks, plain_message


def test_a_page_gives_titles_and_paragraphs_without_code_and_navigation():
    page = """<html><head><title>Нет</title></head><body><nav><p>меню</p></nav><h2 id="v">1.2. Вид¶</h2>
    <p id="p1">Что <i>показывает</i><br>окно.</p><pre>ls</pre><div class="para">Абзац.</div><div>вне</div>
    <p>Рисунок 1. Окно</p><ul><li>пункт <b>списка</b></li></ul><script>x()</script></body></html>"""
    found = html_blocks(page.encode(), names=True)
    assert [block.text for block in found] == ["Вид", "Что показывает окно.", "Абзац.", "пункт списка"]
    assert [(block.shape, block.name) for block in found] == [("h2", "v"), ("p", "p1"), ("p", ""), ("li", "")]
    assert all(block.name == "" for block in html_blocks(page.encode()))


def test_a_page_of_help_has_its_summary_behind_its_title():
    page = """<page xmlns="http://projectmallard.org/1.0/"><info><desc>Как войти.</desc><credit><name>Я</name></credit>
    </info><title>Вход</title><p>Нажмите <key>Enter</key>.</p><screen>ls</screen></page>"""
    assert [(b.shape, b.text) for b in help_blocks(page.encode())] == [
        ("h2", "Вход"),
        ("summary", "Как войти."),
        ("p", "Нажмите Enter."),
    ]
    with pytest.raises(ValueError, match="no XML"):
        help_blocks(b"<page>")


def test_a_manual_page_gives_its_summary_and_prose_alone():
    page = r"""'\" t
.TH LS 1
.SH ИМЯ
ls \- показывает
содержимое папки
.SH "ОПИСАНИЕ РАБОТЫ"
Показывает \fIфайлы\fP из
.BR ls (1).
.TP
\fB\-a\fP
показывает всё
.nf
код
.fi
.TS
таблица
.TE
.PP
Конец.
"""
    assert [(block.shape, block.text) for block in manual_blocks(page.encode())] == [
        ("summary", "показывает содержимое папки"),
        ("h2", "Описание работы"),
        ("p", "Показывает файлы из ls(1)."),
        ("p", "показывает всё"),
        ("p", "Конец."),
    ]


def test_a_catalogue_gives_messages_without_contexts_and_plurals():
    data = catalogue_of({"menu\x04Open": "Открыть", "%d file\0%d files": "%d файл\0%d файла\0%d файлов"})
    assert dict(catalogue_messages(data)) == {"Open": "Открыть", "%d file": "%d файл"}


def test_a_catalogue_is_read_in_the_encoding_that_it_declares():
    assert list(catalogue_messages(catalogue_of({"Open": "Открыть"}, "KOI8-R"))) == [("Open", "Открыть")]
    broken = catalogue_of({"Open": "Открыть"}, "KOI8-R").replace(b"charset=KOI8-R", b"charset=UTF-8 ")
    with pytest.raises(ValueError, match="message 1 of a catalogue is not in UTF-8"):
        list(catalogue_messages(broken))


@pytest.mark.parametrize("cut", [10, 30, -3])
def test_a_truncated_catalogue_is_refused(cut):
    with pytest.raises(ValueError, match="catalogue"):
        list(catalogue_messages(catalogue_of({"Open": "Открыть", "Close": "Закрыть"})[:cut]))


@pytest.mark.parametrize(
    "message, plain",
    [
        ("Не удалось &открыть «%s»", "Не удалось открыть «_»"),
        ("<b>Важно</b>", "Важно"),
        ("{name} из {n}", "_ из _"),
        ("%s %s %s", ""),
        ("50 % жира", "50 % жира"),
    ],
)
def test_a_message_loses_what_is_no_language(message, plain):
    assert plain_message(message) == plain
