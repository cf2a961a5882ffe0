"""The built book on this machine, its chapters with forms: an application of jupyter-server.

It listens to 127.0.0.1, and every request needs the token (or the cookie that follows it), pages too; jupyter-server
checks host and origin. Cells run on kernels of jupyter-server itself, which the script of the page reaches by its own
API. Pages may load nothing from elsewhere: their content security policy forbids it.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
from html import escape
from importlib import import_module
from pathlib import Path
from typing import Any

from jupyter_server.base.handlers import APIHandler, JupyterHandler
from jupyter_server.extension.application import ExtensionApp
from jupyter_server.extension.handler import ExtensionHandlerMixin
from jupyter_server.utils import url_path_join
from tornado import web
from traitlets import Int, Unicode

from helpers.book.live import FormError, Job, Jobs, chapter_path, describe_chapter, form_values, parameter_code
from helpers.book.render import chapters
from helpers.locations import ROOT

__all__ = ["LiveBook", "serve"]

#: What a page may load: what this server has, and what stands in the page.
POLICY = (
    "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; "
    "connect-src 'self' ws://127.0.0.1:* ws://localhost:*; frame-ancestors 'self'; form-action 'self'; base-uri 'self'"
)


class FirstPage(ExtensionHandlerMixin, JupyterHandler):
    """Leads to the first page, so that the token leaves the address."""

    @web.authenticated
    def get(self) -> None:
        self.redirect(url_path_join(self.base_url, "live/book/index.html"))


class Pages(ExtensionHandlerMixin, JupyterHandler, web.StaticFileHandler):
    """Files of the built book; pages of chapters with the script of the form."""

    def initialize(self, name: str, path: str) -> None:  # type: ignore[override]
        self.name = name
        web.StaticFileHandler.initialize(self, path)

    @property
    def content_security_policy(self) -> str:
        return POLICY

    def compute_etag(self) -> None:
        return None

    def set_extra_headers(self, path: str) -> None:
        self.set_header("Cache-Control", "no-cache")
        self.set_header("Referrer-Policy", "same-origin")

    @web.authenticated
    async def head(self, path: str) -> None:  # type: ignore[override]
        await super().get(path, include_body=False)

    @web.authenticated
    async def get(self, path: str, include_body: bool = True) -> None:  # type: ignore[override]
        name = Path(path).stem
        if path == f"notebooks/{name}.html" and name in self.extensionapp.names:
            page = Path(self.root) / path
            if not page.is_file():
                raise web.HTTPError(404)
            self.set_header("Cache-Control", "no-store")  # it holds what this reader's requests need
            self.set_header("Referrer-Policy", "same-origin")
            self.set_header("Content-Type", "text/html; charset=UTF-8")
            self.finish(self._with_form(page.read_text(encoding="utf-8"), name))
            return
        await super().get(path, include_body)

    def _with_form(self, html: str, name: str) -> str:
        about = {"chapter": name, "base": self.base_url, "xsrf": self.xsrf_token.decode("ascii")}
        tags = (
            '<link rel="stylesheet" href="../_static/live.css">'
            f'<script id="live" src="../_static/live.js" data-about="{escape(json.dumps(about))}" defer></script>'
        )
        return html.replace("</head>", f"{tags}</head>", 1)


class _Api(ExtensionHandlerMixin, APIHandler):
    """What the handlers below have in common."""

    @property
    def jobs(self) -> Jobs:
        return self.extensionapp.jobs

    def body(self) -> dict[str, Any]:
        found = self.get_json_body()
        if not isinstance(found, dict) or not isinstance(found.get("parameters", {}), dict):
            raise web.HTTPError(400, "a JSON object is expected, its parameters an object of names and texts")
        return found

    def job(self, key: str) -> Job:
        try:
            return self.jobs.get(key)
        except KeyError:
            raise web.HTTPError(404, f"there is no run {key}") from None

    def refuse(self, error: FormError) -> None:
        self.set_status(422)
        self.finish(json.dumps({"errors": error.errors}))


class Chapter(_Api):
    """The form of a chapter, and what it says of values before a kernel takes them."""

    @web.authenticated
    async def get(self, name: str) -> None:
        try:
            about = await asyncio.to_thread(describe_chapter, Path(self.extensionapp.folder), name)
            self.finish(json.dumps(about))
        except KeyError:
            raise web.HTTPError(404, f"there is no chapter {name}") from None

    @web.authenticated
    async def post(self, name: str) -> None:
        try:
            path = chapter_path(Path(self.extensionapp.folder), name)
            self.finish(json.dumps({"code": parameter_code(form_values(path, self.body().get("parameters", {})))}))
        except KeyError:
            raise web.HTTPError(404, f"there is no chapter {name}") from None
        except FormError as error:
            self.refuse(error)


class Start(_Api):
    """Begin a run, or find it."""

    @web.authenticated
    async def post(self) -> None:
        body = self.body()
        try:
            job = await self.jobs.start(str(body.get("chapter", "")), body.get("parameters", {}))
        except KeyError:
            raise web.HTTPError(404, f"there is no chapter {body.get('chapter')!r}") from None
        except FormError as error:
            self.refuse(error)
        else:
            self.finish(json.dumps(job.state()))


class State(_Api):
    """How far a run is; its end before its time."""

    @web.authenticated
    async def get(self, key: str) -> None:
        self.finish(json.dumps(await asyncio.to_thread(self.job(key).state)))

    @web.authenticated
    async def delete(self, key: str) -> None:
        job = self.job(key)
        await self.jobs.cancel(job)
        self.finish(json.dumps(job.state()))


class Results(_Api):
    """What a run found."""

    @web.authenticated
    async def get(self, key: str) -> None:
        job = self.job(key)
        if job.status != "done":
            raise web.HTTPError(409, f"the run is {job.status}")
        self.finish(json.dumps(await asyncio.to_thread(self.jobs.results, job)))


class LiveBook(ExtensionApp):
    """The application: ``python -m helpers live`` launches it."""

    name = "live"
    default_url = "/live"
    load_other_extensions = False
    folder = Unicode(str(ROOT), config=True, help="Folder of the book.")
    n_jobs = Int(os.cpu_count() or 1, config=True, help="Number of runs at a time.")

    @classmethod
    def get_extension_package(cls) -> str:
        return __name__

    def initialize_settings(self) -> None:
        self.names = {path.stem for path in chapters(Path(self.folder))}
        self.jobs = Jobs(Path(self.folder), self.n_jobs)

    def initialize_handlers(self) -> None:
        pages = {"path": str(Path(self.folder) / "_build" / "html")}
        self.handlers += [
            (r"/live/?", FirstPage),
            (r"/live/book/(.*)", Pages, pages),
            (r"/live/api/chapters/([\w-]+)", Chapter),
            (r"/live/api/runs", Start),
            (r"/live/api/runs/([0-9a-f]{16})", State),
            (r"/live/api/runs/([0-9a-f]{16})/results", Results),
        ]

    async def _start_jupyter_server_extension(self, serverapp: Any) -> None:
        address = f"http://127.0.0.1:{serverapp.port}/live?token={serverapp.identity_provider.token}"
        print(f"The live book is at {address}\nCtrl-C ends it, its runs and its kernels", flush=True)
        await asyncio.to_thread(import_module, "myst_nb.core.variables")  # a second, which the first reader is spared

    async def stop_extension(self) -> None:
        await self.jobs.cancel_all()


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    return [{"module": __name__, "app": LiveBook}]


def serve(root: Path = ROOT, *, port: int = 8899, n_jobs: int = 2, open_browser: bool = True) -> None:
    """Serve the built book until it is interrupted.

    Parameters
    ----------
    root
        Folder of the book, with its pages in ``_build/html``.
    port
        First port that is tried; where it is taken, the next ones.
    n_jobs
        Number of runs at a time.
    open_browser
        Whether to show the first page.

    Raises
    ------
    FileNotFoundError
        If the book has not been built.
    """
    if not (root / "_build" / "html" / "index.html").is_file():
        raise FileNotFoundError(f"no built book in {root / '_build' / 'html'}; `make book` builds it")
    options = {
        # The command line goes before what configuration files of the user say, on whatever they would open.
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": port,
        "ServerApp.allow_remote_access": False,
        "ServerApp.allow_origin": "",
        "ServerApp.allow_origin_pat": "",
        "ServerApp.allow_unauthenticated_access": False,
        "ServerApp.disable_check_xsrf": False,
        "ServerApp.terminals_enabled": False,
        "ServerApp.root_dir": root,
        "ServerApp.open_browser": open_browser,
        "ServerApp.answer_yes": True,
        "ServerApp.allow_root": True,  # as every other command of the book does, in containers for instance
        "ServerApp.log_level": "ERROR",
        "LiveBook.log_level": "ERROR",
        "IdentityProvider.token": secrets.token_hex(24),
        "PasswordIdentityProvider.hashed_password": "",
        "PasswordIdentityProvider.password_required": False,
        "MappingKernelManager.cull_idle_timeout": 3600,
        "LiveBook.folder": root,
        "LiveBook.n_jobs": n_jobs,
    }
    if os.name == "posix":  # sockets in the user's own folder, where TCP would be open to every user of the machine
        options["KernelManager.transport"] = "ipc"
    LiveBook.launch_instance(argv=[f"--{name}={value}" for name, value in options.items()])
