"""Runs are executed once, kept while they are valid, isolated when they fail, and resumed when they were stopped."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest

from helpers.book.runs import Run, execute, execute_all, glued, grid, parameters_of, read_parameters, results
from notebooks import write

FAIL = "if n == 2:\n    raise FloatingPointError('training diverged')"


@pytest.fixture
def notebook(tmp_path):
    return write(tmp_path / "work.ipynb", "# Title", FAIL, "from myst_nb import glue\nglue('double', 2 * n)", "n")


def plan(notebook, values=(0, 1, 2, 3)):
    return [Run(notebook, notebook.parent / "out" / f"n={n}.ipynb", {"n": n}) for n in values]


def test_parameters_are_read_with_kind_and_help(notebook):
    known = parameters_of(notebook)
    assert [(p.name, p.default, p.kind) for p in known.values()] == [
        ("n", 1, "int"),
        ("name", "a", "str"),
        ("rate", 0.5, "float"),
        ("flag", False, "bool"),
    ]
    assert known["n"].help == "how many"


@pytest.mark.parametrize("values", [{"n": 3}, {"rate": 1}, {"flag": True}, {"name": ""}])
def test_right_types_are_accepted(notebook, values):
    Run(notebook, notebook, values).check()


@pytest.mark.parametrize("values", [{"n": 1.5}, {"n": True}, {"n": "many"}, {"rate": "x"}, {"flag": 1}, {"name": 3}])
def test_an_ill_typed_parameter_is_refused(notebook, values):
    with pytest.raises(ValueError, match=r"is expected. It takes:\n  n = 1 \(int\)  how many"):
        Run(notebook, notebook, values).check()


def test_an_annotation_widens_what_is_accepted(tmp_path):
    path = write(tmp_path / "a.ipynb", parameters="limit: int | None = None\nnames: list[str] = ['a']")
    for values in ({"limit": None}, {"limit": 3}, {"names": ["b"]}):
        Run(path, path, values).check()
    with pytest.raises(ValueError, match="int | None"):
        Run(path, path, {"limit": "x"}).check()


def test_a_misspelt_parameter_is_refused_with_the_list_of_known_ones(notebook):
    with pytest.raises(ValueError, match="no parameter 'm'. It takes:\n  n = 1"):
        execute(Run(notebook, notebook.parent / "x.ipynb", {"m": 1}))
    assert not (notebook.parent / "x.ipynb").exists()


def test_a_parameter_file_must_be_a_mapping(tmp_path):
    (tmp_path / "p.yml").write_text("- 1\n")
    with pytest.raises(ValueError, match="a mapping of parameter names"):
        read_parameters(tmp_path / "p.yml")
    (tmp_path / "p.yml").write_text("a: b: c\n")
    with pytest.raises(ValueError, match="p.yml is not YAML: mapping values are not allowed here .*line 1, column 5"):
        read_parameters(tmp_path / "p.yml")


def test_two_runs_to_one_file_are_refused(notebook):
    runs = [Run(notebook, notebook.parent / "x.ipynb", {"n": n}) for n in (0, 1)]
    with pytest.raises(ValueError, match="two runs would write"):
        list(execute_all(runs))


def test_relative_paths_mean_the_folder_of_the_call_though_runs_go_on_side_by_side(tmp_path, monkeypatch):
    code = "import os, time\ntime.sleep(0.3 * n)\nhere = os.getcwd()"
    (tmp_path / "books").mkdir()
    path = write(tmp_path / "books" / "work.ipynb", code, "from myst_nb import glue\nglue('folder', here)")
    monkeypatch.chdir(tmp_path)
    runs = [Run(Path("books/work.ipynb"), Path("out") / f"n={n}.ipynb", {"n": n}) for n in range(4)]
    outcomes = list(execute_all(runs, n_jobs=4))
    assert {outcome.status for outcome in outcomes} == {"done"}, [outcome.error for outcome in outcomes]
    assert sorted(p.name for p in (tmp_path / "out").glob("*.ipynb")) == [f"n={n}.ipynb" for n in range(4)]
    assert not list(path.parent.glob("out")) and Path.cwd() == tmp_path
    assert {glued(tmp_path / "out" / f"n={n}.ipynb")["folder"] for n in range(4)} == {str(path.parent)}
    assert {outcome.status for outcome in execute_all(runs, n_jobs=4)} == {"kept"}


def test_a_sweep_isolates_failures_and_resumes(notebook):
    """Done runs are kept, the failed one keeps its traceback and is tried again, an edit invalidates what it must."""
    outcomes = {o.run.parameters["n"]: o for o in execute_all(plan(notebook), n_jobs=2)}
    assert {n: o.status for n, o in outcomes.items()} == {0: "done", 1: "done", 2: "failed", 3: "done"}
    assert outcomes[2].error == "cell 3 `if n == 2:`: FloatingPointError: training diverged"
    failed = nbformat.read(outcomes[2].run.output, as_version=4)
    assert any(out.output_type == "error" for cell in failed.cells for out in cell.get("outputs", []))
    assert glued(outcomes[3].run.output)["double"] == 6
    table = results(outcomes.values())
    assert set(table.columns) >= {"n", "double", "status", "seconds", "error"}

    # prose is mended: nothing runs again but the failure
    text = notebook.read_text()
    notebook.write_text(text.replace("# Title", "# Better title"))
    assert [o.status for o in execute_all(plan(notebook), n_jobs=2)] == ["kept", "kept", "kept", "failed"]

    # the copy of a run that was cut short is not taken for valid
    output = outcomes[0].run.output
    output.write_text(output.read_text()[:200])
    assert not plan(notebook)[0].is_done()

    # code is changed: everything is out of date
    notebook.write_text(text.replace("2 * n", "4 * n"))
    assert not any(run.is_done() for run in plan(notebook))


def test_a_kernel_that_has_nothing_to_do_is_not_interrupted_on_its_way_out(notebook, monkeypatch):
    """It would report the interruption on the standard error of whoever started it; one in a cell is interrupted."""
    from jupyter_client.provisioning import LocalProvisioner
    from papermill import PapermillExecutionError

    sent, signalled = [], LocalProvisioner.send_signal

    async def send_signal(self, number):
        sent.append(number)
        await signalled(self, number)

    monkeypatch.setattr(LocalProvisioner, "send_signal", send_signal)
    execute(Run(notebook, notebook.parent / "done.ipynb", {"n": 0}))
    with pytest.raises(PapermillExecutionError):
        execute(Run(notebook, notebook.parent / "failed.ipynb", {"n": 2}))
    assert signal.SIGINT not in sent
    long = write(
        notebook.parent / "long.ipynb", "import os, signal, time\nos.kill(os.getppid(), signal.SIGUSR1)\ntime.sleep(60)"
    )
    before = signal.signal(signal.SIGUSR1, signal.default_int_handler)
    try:
        began = time.time()
        with pytest.raises(KeyboardInterrupt):
            execute(Run(long, notebook.parent / "stopped.ipynb", {"n": 0}))
        assert signal.SIGINT in sent and time.time() - began < 20
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_resource_that_no_worker_declares_is_refused(notebook):
    from dask.distributed import Client

    with Client(n_workers=1, processes=False, dashboard_address=None, resources={"GPU": 0.25}) as client:
        with pytest.raises(ValueError, match="GPU=0.5, but no worker declares more than 0.25"):
            list(execute_all(plan(notebook, [0]), client, GPU=0.5))


@pytest.mark.slow
def test_resources_limit_how_many_run_at_once(tmp_path):
    notebook = write(tmp_path / "w.ipynb", "import time\nt = time.time(); time.sleep(1.5)", "(t, time.time())")
    runs = [Run(notebook, tmp_path / f"{n}.ipynb", {"n": n}) for n in range(2)]
    assert all(o.status == "done" for o in execute_all(runs, n_jobs=2, GPU=1))
    spans = []
    for run in runs:
        cell = nbformat.read(run.output, as_version=4).cells[-1]
        spans.append(eval(cell.outputs[0].data["text/plain"]))
    (_, first_end), (second_start, _) = sorted(spans)
    assert first_end <= second_start


@pytest.mark.slow
def test_runs_survive_the_death_of_a_worker(tmp_path):
    from dask.distributed import LocalCluster

    notebook = write(tmp_path / "w.ipynb", "import time\ntime.sleep(1)")
    runs = [Run(notebook, tmp_path / f"{n}.ipynb", {"n": n}) for n in range(3)]
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        with cluster.get_client() as client:
            victim = next(iter(cluster.workers.values())).pid
            outcomes = execute_all(runs, client)
            first = next(outcomes)
            os.kill(victim, signal.SIGKILL)
            # A run that the victim had ended, and had not told of, is found done when it is given to another worker.
            assert {first.status, *(o.status for o in outcomes)} <= {"done", "kept"}
            assert all(run.is_done() for run in runs)


def kernels():
    """Kernels that run below this process."""
    found = []
    for child in psutil.Process().children(recursive=True):
        try:
            if any("ipykernel" in word for word in child.cmdline()):
                found.append(child)
        except psutil.Error:
            pass
    return found


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_sweep_stops_at_once_and_the_next_call_resumes(tmp_path, sent):
    write(tmp_path / "w.ipynb", "import time\ntime.sleep(0 if n == 0 else 900 if rate == 0.5 else 0)", "n")
    sweep = tmp_path / "sweep.yml"
    sweep.write_text("notebook: w.ipynb\ngrid: {n: [0, 1, 2]}\n")
    command = [sys.executable, "-m", "helpers", "sweep", str(sweep), "-o", str(tmp_path / "out"), "-j", "1"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    done = tmp_path / "out" / "n=0.ipynb"
    deadline = time.time() + 300
    while not (done.exists() and '"key"' in done.read_text() and (tmp_path / "out" / "n=1.ipynb").exists()):
        assert time.time() < deadline and process.poll() is None
        time.sleep(0.2)
    descendants = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(sent)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "the same command goes on from there" in errors
    _, alive = psutil.wait_procs(descendants, timeout=120)
    assert not alive
    plan = grid(n=[0, 1, 2])
    runs = [Run(tmp_path / "w.ipynb", tmp_path / "out" / f"n={p['n']}.ipynb", p) for p in plan]
    assert [run.is_done() for run in runs] == [True, False, False]
    assert not kernels()


@pytest.mark.slow
def test_a_cluster_by_address(tmp_path):
    """``DASK_SCHEDULER_ADDRESS`` sends the runs to the workers of that scheduler."""
    from dask.distributed import LocalCluster

    write(tmp_path / "w.ipynb", "import os\nfrom myst_nb import glue\nglue('worker', os.getppid())")
    sweep = tmp_path / "sweep.yml"
    sweep.write_text("notebook: w.ipynb\ngrid: {n: [0, 1]}\nresources: {GPU: 0.5}\n")
    with LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None, resources={"GPU": 1}) as cluster:
        environment = os.environ | {"DASK_SCHEDULER_ADDRESS": cluster.scheduler_address}
        command = [sys.executable, "-m", "helpers", "sweep", str(sweep), "-o", str(tmp_path / "out")]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        workers = {worker.pid for worker in cluster.workers.values()}
    assert {glued(tmp_path / "out" / f"n={n}.ipynb")["worker"] for n in (0, 1)} <= workers


def test_the_executed_copy_tells_its_key(tmp_path):
    run = Run(write(tmp_path / "w.ipynb", "n"), tmp_path / "out.ipynb", {"n": 5})
    assert execute(run).status == "done"
    assert json.loads(run.output.read_text())["metadata"]["book"]["key"] == run.key
    assert execute(run).status == "kept"
    assert execute(run, force=True).status == "done"
