"""The training loop goes on where it was killed, to the same weights, for every kind of loss; and names mistakes."""

import io
import json
import math
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from training_kinds import KINDS, POINTS, alike, made  # noqa: E402

from helpers import training  # noqa: E402
from helpers.training import (  # noqa: E402
    Checkpoints,
    Log,
    Update,
    Validation,
    bfloat16_products,
    bucketed,
    buckets,
    progress_of,
    shuffled,
    train,
)

TESTS = Path(__file__).parent


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def regression(seed: int = 0, lr: float = 0.05) -> dict:
    """A small fit with dropout, whose noise is drawn from torch."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 1))
    wanted = POINTS.sum(1, keepdim=True)
    return dict(
        model=model,
        loss=lambda rows, step: (model(POINTS[rows]) - wanted[rows]).square().mean(),
        batches=shuffled(64, 16),
        optimizer=torch.optim.Adam(model.parameters(), lr=lr),
    )


def in_sittings(make, folder, **options) -> tuple[nn.Module, list]:
    """Train by calls of one step each, every one with new objects and other weights at the start."""
    found = []
    while not found or not found[-1].done:
        given = make(seed=len(found))
        kept = Checkpoints(folder, pause_after=0, **options)
        found.append(train(**given, folder=kept))
    return given["model"], found


class TestEveryKindOfLoss:
    @pytest.mark.parametrize("kind", KINDS)
    def test_it_is_learnt(self, kind):
        given = made(kind)
        found = train(**given, log=Log(every=10))
        losses = [row["loss"] for row in found.log if "loss" in row]
        assert found.done and losses[-1] < 0.8 * losses[0]

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_run_in_sittings_of_one_step_ends_at_the_same_weights(self, kind, tmp_path):
        whole = made(kind)
        once = train(**whole, log=Log(every=10))
        model, found = in_sittings(lambda seed: made(kind, seed), tmp_path)
        assert len(found) >= once.step
        assert [one.resumed_at for one in found[:3]] == [0, 1, 2]
        assert alike(whole["model"], model)
        assert (found[-1].step, found[-1].epoch, found[-1].tokens) == (once.step, once.epoch, once.tokens)

    def test_the_teacher_and_the_queue_go_on_too(self, tmp_path):
        whole, kept = made("contrast_with_teacher"), []

        def make(seed):
            kept.append(made("contrast_with_teacher", seed))
            return kept[-1]

        train(**whole)
        in_sittings(make, tmp_path)
        assert alike(whole["state"]["teacher"], kept[-1]["state"]["teacher"])
        assert torch.equal(whole["state"]["queue"].codes, kept[-1]["state"]["queue"].codes)
        assert whole["state"]["noise"].random() == kept[-1]["state"]["noise"].random()


KILLED = """
import os, random, signal, sys, time
import torch
torch.set_num_threads(1)
from helpers.training import Checkpoints, train
from training_kinds import alike, made

kind, folder, kills = sys.argv[1], sys.argv[2], int(sys.argv[3])
path = os.path.join(folder, "checkpoint.pt")

def slowly(given):
    loss = given["loss"]
    return given | {"loss": lambda batch, step: (time.sleep(0.002), loss(batch, step))[1]}

def changed():
    try:
        return os.stat(path).st_mtime_ns, os.stat(path).st_ino
    except FileNotFoundError:
        return None

whole = made(kind)
train(**whole)
chance, killed = random.Random(5), 0
while True:
    before = changed()
    child = os.fork()
    if child == 0:
        train(**slowly(made(kind)), folder=Checkpoints(folder, every=0))
        os._exit(0)
    ended = 0
    while killed < kills and changed() == before and not ended:
        ended = os.waitpid(child, os.WNOHANG)[0]
        time.sleep(0.001)
    if not ended and killed < kills:
        time.sleep(chance.uniform(0, 0.03))
        os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1] if not ended else 0
    if not os.WIFSIGNALED(status):
        assert status == 0
        break
    killed += 1

given = made(kind, 1)
found = train(**given, folder=folder)
print(killed, found.resumed_at == found.step, alike(given["model"], whole["model"]))
"""


class TestKilled:
    @pytest.mark.parametrize("kind", ["masked_words", "contrast_with_teacher", "contrast_with_hard_negatives"])
    def test_kill_9_at_any_moment_changes_no_bit(self, kind, tmp_path):
        command = [sys.executable, "-c", KILLED, kind, str(tmp_path), "8"]
        environment = {"PYTHONPATH": f"{TESTS.parent}:{TESTS}", "PATH": "", "OMP_NUM_THREADS": "1"}
        found = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
        assert found.returncode == 0, found.stderr
        killed, finished, same = found.stdout.split()
        assert 2 <= int(killed) <= 8 and finished == same == "True"

    def test_a_file_that_was_being_written_is_no_checkpoint(self, tmp_path):
        train(**regression(), steps=5, folder=tmp_path)
        (tmp_path / "checkpoint.tmp").write_bytes(b"half of it")
        with (tmp_path / "log.jsonl").open("a") as file:
            file.write('{"step": 6, "lo')
        again, whole = regression(seed=3), regression()
        found = train(**again, steps=9, folder=tmp_path)
        train(**whole, steps=9)
        assert alike(again["model"], whole["model"]) and found.resumed_at == 5
        assert [json.loads(line)["step"] for line in (tmp_path / "log.jsonl").read_text().splitlines()] == [5, 9]

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_a_signal_waits_for_the_step_and_leaves_a_checkpoint(self, number, tmp_path):
        class Stopped(Exception):
            pass

        def stop(number, frame):
            raise Stopped

        given = regression()
        loss = given["loss"]

        def interrupted(rows, step):
            if step == 4:
                signal.raise_signal(number)
            return loss(rows, step)

        before = signal.signal(number, stop)
        try:
            with pytest.raises(Stopped):
                train(**given | {"loss": interrupted}, steps=9, folder=tmp_path)
            assert signal.getsignal(number) is stop
        finally:
            signal.signal(number, before)
        again, whole = regression(seed=1), regression()
        assert train(**again, steps=9, folder=tmp_path).resumed_at == 5
        train(**whole, steps=9)
        assert alike(again["model"], whole["model"])

    def test_control_c_is_a_keyboard_interrupt_and_a_second_one_does_not_wait(self, tmp_path):
        given = regression()
        with pytest.raises(KeyboardInterrupt):
            train(
                **given
                | {"loss": lambda rows, step: (signal.raise_signal(signal.SIGINT), given["loss"](rows, step))[1]},
                steps=9,
                folder=tmp_path,
            )
        assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["progress"]["step"] == 1

        def impatient(rows, step):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

        with pytest.raises(KeyboardInterrupt):
            train(**given | {"loss": impatient}, steps=9, folder=tmp_path)
        assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["progress"]["step"] == 1


class TestRandomness:
    def test_a_seed_decides_everything_and_the_random_state_outside_is_left_alone(self):
        found = []
        for start in (1, 2):
            given = regression()
            torch.manual_seed(start)
            before = torch.get_rng_state()
            train(**given, steps=7, rng=3)
            assert torch.equal(before, torch.get_rng_state())
            found.append(given["model"])
        other = regression()
        train(**other, steps=7, rng=4)
        assert alike(*found) and not alike(found[0], other["model"])

    @pytest.mark.parametrize("start", [5, 12])
    def test_a_data_loader_and_every_global_generator_go_on(self, start, tmp_path):
        """Shuffled by torch's own state, noise from NumPy and from Python, nothing that the loop has seeded."""
        loader = torch.utils.data.DataLoader(
            list(POINTS),
            16,
            shuffle=True,
            collate_fn=lambda rows: torch.stack(rows) + np.random.normal(),  # noqa: NPY002
        )

        def fit(seed, **options):
            given = regression(seed)
            model = given["model"]
            given["loss"] = lambda x, step: (model(x) - random.random()).square().mean()
            given["batches"] = lambda rng, epoch: loader
            found = train(**given, rng=None, **options)
            return model, found

        def seed():
            random.seed(1)
            np.random.seed(1)  # noqa: NPY002

        seed()
        whole, _ = fit(1, steps=15)
        seed()
        fit(1, steps=start, folder=tmp_path)
        random.seed(2)
        np.random.seed(2)  # noqa: NPY002
        parts, found = fit(1, steps=15, folder=tmp_path)
        assert found.resumed_at == start and alike(whole, parts)

    @pytest.mark.parametrize("kind", ["PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"])
    def test_generators_of_every_kind_are_kept(self, kind, tmp_path):
        def fit(steps, folder=None):
            rng = np.random.Generator(getattr(np.random, kind)(5))
            given = regression()
            model = given["model"]
            given["loss"] = lambda rows, step: (model(POINTS[rows]) - rng.normal()).square().mean()
            train(**given, steps=steps, folder=folder, state={"noise": rng})
            return model

        whole = fit(9)
        fit(4, tmp_path)
        assert alike(whole, fit(9, tmp_path))

    def test_batches_drawn_while_they_are_asked_for_are_drawn_again(self, tmp_path):
        def drawn(rng, epoch):
            for _ in range(3):
                yield rng.integers(0, 64, 8)

        def fit(steps, folder=None, seed=0):
            given = regression(seed) | {"batches": drawn}
            train(**given, steps=steps, folder=folder)
            return given["model"]

        whole = fit(8)
        for steps in (1, 3, 5, 8):
            parts = fit(steps, tmp_path, seed=0 if steps == 1 else steps)
        assert alike(whole, parts)

    def test_a_sequence_is_passed_over_without_making_its_batches(self, tmp_path):
        made_ = []

        def collate(rows, rng):
            made_.append(len(rows))
            return rows

        given = regression() | {"batches": shuffled(64, 16, collate)}
        train(**given, steps=3, folder=tmp_path)
        train(**given, steps=4, folder=tmp_path)
        assert len(made_) == 4


class TestBudget:
    def test_steps_epochs_and_tokens(self):
        for budget, expected in (
            (dict(steps=7), (7, 1, 112, "steps")),
            (dict(epochs=2), (8, 2, 128, "epochs")),
            (dict(tokens=50), (4, 0, 64, "tokens")),
            (dict(steps=9, epochs=1), (4, 1, 64, "epochs")),
            (dict(steps=0), (0, 0, 0, "steps")),
        ):
            found = train(**regression(), **budget, count=len)
            assert (found.step, found.epoch, found.tokens, found.stopped) == expected

    def test_minutes_count_over_all_sittings(self, tmp_path, monkeypatch):
        now = [0.0]
        clock = SimpleNamespace(perf_counter=lambda: now[0], process_time=lambda: now[0] / 2)
        monkeypatch.setattr(training.loop, "time", clock)
        monkeypatch.setattr(training._keeping, "time", clock)

        def call():
            given = regression()
            loss = given["loss"]

            def minute(rows, step):
                now[0] += 60
                return loss(rows, step)

            now[0] += 1e5  # between two sittings
            return train(**given | {"loss": minute}, minutes=10, folder=Checkpoints(tmp_path, pause_after=4))

        assert progress_of(tmp_path) is None
        found = [call()]
        assert progress_of(tmp_path).step == 4 and progress_of(tmp_path).share == pytest.approx(0.4)
        found += [call() for _ in range(2)]
        assert [one.step for one in found] == [4, 8, 10]
        assert [one.stopped for one in found] == ["pause", "pause", "minutes"]
        assert [one.done for one in found] == [False, False, True]
        assert found[-1].minutes == pytest.approx(10) and found[-1].cpu_minutes == pytest.approx(5)

    def test_a_finished_run_is_loaded_and_not_repeated(self, tmp_path):
        given = regression()
        first = train(**given, steps=5, folder=tmp_path)

        def never(batch, step):
            raise AssertionError("trained again")

        again = regression(seed=1)
        found = train(**again | {"loss": never}, steps=5, folder=tmp_path)
        assert alike(given["model"], again["model"])
        assert (found.done, found.step, found.log) == (True, 5, first.log)

    def test_a_larger_budget_goes_on_and_a_smaller_one_is_refused(self, tmp_path):
        train(**regression(), steps=6, folder=tmp_path)
        more, whole = regression(), regression()
        train(**more, steps=11, folder=tmp_path)
        train(**whole, steps=11)
        assert alike(more["model"], whole["model"])
        with pytest.raises(ValueError, match="steps is 8, but the run in .* has come to 11 steps"):
            train(**regression(), steps=8, folder=tmp_path)

    def test_a_schedule_that_falls_with_the_budget_fixes_it(self, tmp_path):
        update = Update("linear")
        train(**regression(), steps=6, update=update, folder=tmp_path)
        with pytest.raises(ValueError, match="budget steps is 6 there and 8 here"):
            train(**regression(), steps=8, update=update, folder=tmp_path)


class TestValidation:
    def scripted(self, values, patience, **options):
        given = regression()
        rest, kept = iter(values), []

        def held_out():
            kept.append([weight.detach().clone() for weight in given["model"].parameters()])
            assert not given["model"].training and not torch.is_grad_enabled()
            return next(rest)

        found = train(**given, validation=Validation(held_out, patience=patience), **options)
        now = list(given["model"].parameters())
        return found, [all(map(torch.equal, one, now)) for one in kept]

    def test_it_stops_after_so_many_without_a_new_best_and_goes_back_to_it(self):
        found, same = self.scripted([5, 4, 3, 3, 4, 9], patience=3, epochs=50)
        assert found.stopped == "patience" and found.epoch == 5
        assert found.best["validation"] == 3 and found.best["epoch"] == 2
        assert same == [False, False, True, False, False, False]

    def test_the_start_may_be_the_best(self):
        found, same = self.scripted([1, 2, 3], patience=2, epochs=50)
        assert found.best["step"] == 0 and same == [True, False, False]

    def test_a_budget_that_ends_first_goes_back_to_the_best_too(self):
        found, same = self.scripted([5, 1, 2, 3], patience=9, steps=10)
        assert found.stopped == "steps" and same == [False, True, False, False]

    def test_without_patience_the_last_weights_stay(self):
        found, same = self.scripted([5, 1, 2, 3], patience=None, epochs=3)
        assert found.best["epoch"] == 1 and same == [False, False, False, True]

    def test_every_so_many_steps_and_other_numbers_are_logged(self):
        given = regression()
        seen = []
        check = Validation(lambda: seen.append(0) or {"loss": 1.0, "accuracy": 0.5}, every=3)
        found = train(**given, steps=8, validation=check)
        rows = [row for row in found.log if "validation" in row]
        assert [row["step"] for row in rows] == [0, 3, 6, 8] and len(seen) == 4
        assert {row["validation_accuracy"] for row in rows} == {0.5}

    def test_modes_of_frozen_parts_stay(self):
        given = regression()
        model, modes = given["model"], []

        def loss(rows, step):
            model[2].eval()
            modes.append((model.training, model[2].training))
            return given["loss"](rows, step)

        model.eval()
        train(**given | {"loss": loss}, steps=3, validation=Validation(lambda: 1.0, every=1))
        assert modes == [(True, False)] * 3 and not model.training

    def test_a_teacher_returns_to_the_best_with_the_model(self):
        given = made("contrast_with_teacher")
        teacher, kept, values = given["state"]["teacher"], [], iter([3, 1, 2, 2])

        def held_out():
            kept.append(torch.cat([weight.flatten() for weight in teacher.parameters()]).detach().clone())
            return next(values)

        train(**given | {"steps": None}, epochs=3, validation=Validation(held_out, patience=5))
        now = torch.cat([weight.flatten() for weight in teacher.parameters()])
        assert [torch.equal(one, now) for one in kept] == [False, True, False, False]


class TestUpdate:
    def rates(self, update, **budget):
        found = train(**regression(lr=1.0), update=update, log=Log(every=1), **budget)
        return [row["rate"] for row in found.log]

    def test_schedules_are_their_formulas(self):
        steps = np.arange(10)
        warm = np.minimum(1, (steps + 1) / 4)
        assert self.rates(Update(), steps=10) == [1.0] * 10
        assert self.rates(Update(warmup=4), steps=10) == pytest.approx(warm)
        assert self.rates(Update("linear", warmup=4), steps=10) == pytest.approx(warm * (1 - steps / 10))
        assert self.rates(Update("cosine"), steps=10) == pytest.approx((1 + np.cos(np.pi * steps / 10)) / 2)
        assert self.rates(Update(lambda p: 1 / (1 + p.step)), steps=10) == pytest.approx(1 / (1 + steps))
        assert self.rates(Update("linear"), epochs=2) == pytest.approx(1 - np.arange(8) / 8)
        with_tokens = train(**regression(lr=1.0), update=Update("linear"), tokens=160, count=len, log=Log(every=1))
        assert [row["rate"] for row in with_tokens.log] == pytest.approx(1 - steps / 10)

    def test_groups_keep_the_ratio_of_their_rates(self):
        given = made("metric_learning")
        train(**given | {"epochs": None}, steps=5, update=Update("linear"))
        first, second = (group["lr"] for group in given["optimizer"].param_groups)
        assert second == pytest.approx(10 * first) and first == pytest.approx(0.01 * (1 - 4 / 5))

    def test_a_clipped_step_is_no_longer_than_the_norm(self):
        given = regression()
        before = nn.utils.parameters_to_vector(given["model"].parameters()).detach().clone()
        given["optimizer"] = torch.optim.SGD(given["model"].parameters(), lr=1.0)
        train(**given, steps=1, update=Update(clip=0.01))
        moved = nn.utils.parameters_to_vector(given["model"].parameters()) - before
        # the gradient is divided by its norm + 1e-6, so the step is a little shorter, by rounding perhaps longer
        assert 0.0099 < moved.norm().item() <= 0.01 * (1 + 64 * torch.finfo(torch.float32).eps)

    def test_two_accumulated_batches_are_one_of_twice_the_size(self):
        def fit(size, accumulate):
            torch.manual_seed(0)
            model = nn.Linear(6, 1).double()
            x = POINTS.double()
            train(
                model,
                lambda rows, step: (model(x[rows]) - 1).square().mean(),
                lambda rng, epoch: np.arange(64).reshape(-1, size),
                epochs=3,
                optimizer=torch.optim.SGD(model.parameters(), lr=0.01),
                update=Update(accumulate=accumulate),
            )
            return model.weight

        # sums of 32 terms in another order, 6 steps: relative error of some 6 · 32 · 2⁻⁵³
        assert torch.allclose(fit(32, 1), fit(16, 2), rtol=6 * 32 * 2**-52, atol=6 * 32 * 2**-52)

    def test_the_last_update_of_an_epoch_may_have_fewer_batches(self):
        given = regression() | {"batches": shuffled(64, 16)}
        assert train(**given, epochs=2, update=Update(accumulate=3)).step == 4

    def test_a_batch_with_nothing_to_learn_counts_but_changes_nothing(self):
        given = regression()
        start = [weight.detach().clone() for weight in given["model"].parameters()]
        found = train(**given | {"loss": lambda rows, step: None}, steps=3)
        assert found.step == 3 and all(map(torch.equal, start, given["model"].parameters()))


class TestPrecision:
    def products(self):
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 64))

    def test_products_in_half_precision_are_within_its_rounding_and_undone_after(self):
        model = self.products()
        x = torch.randn(5, 7, 64)
        exact = model[0](x)
        with bfloat16_products(model):
            rough = model[0](x)
        # both factors are rounded to 8 bits: |error| <= (2 · 2⁻⁹ + 2⁻¹⁸) Σ|x||w|, and what single precision adds
        bound = (2**-8 + 2**-16) * (x.abs() @ model[0].weight.abs().T) + 2**-8 * exact.abs()
        assert ((rough - exact).abs() <= bound).all() and not torch.equal(rough, exact)
        assert torch.equal(model[0](x), exact) and type(model[0]) is nn.Linear

    def test_gradients_are_those_of_single_precision_to_the_rounding(self):
        model, x = self.products(), torch.randn(16, 64)
        found = []
        for half in (False, True):
            model.zero_grad()
            if half:
                with bfloat16_products(model):
                    (model[0](x) ** 2).sum().backward()
            else:
                (model[0](x) ** 2).sum().backward()
            found.append(model[0].weight.grad.clone())
        # per entry Σ_rows x g, each factor off by 2⁻⁹, g itself by what the product before it was off
        scale = (2 * model[0](x)).abs().T @ x.abs() + 2 * (x.abs() @ model[0].weight.abs().T).T @ x.abs()
        assert ((found[0] - found[1]).abs() <= (2**-7) * scale).all()

    def test_tensors_of_other_types_are_left_alone(self):
        layer = nn.Linear(4, 3).double()
        x = torch.randn(2, 4, dtype=torch.float64)
        expected = layer(x)
        with bfloat16_products(layer):
            assert torch.equal(layer(x), expected)
            assert torch.equal(layer(x[0]), layer.forward(x[0]))

    @pytest.mark.parametrize(("pays", "same"), [(0.0, "float32"), (math.inf, "bfloat16")])
    def test_auto_measures_and_changes_nothing_else(self, pays, same, monkeypatch):
        monkeypatch.setattr(training.loop, "PAYS", pays)
        for kind in KINDS:
            fitted = []
            for precision in ("auto", same):
                given = made(kind)
                update = given.pop("update", Update())
                update = Update(update.schedule, update.warmup, update.clip, update.accumulate, precision)
                found = train(**given, update=update)
                assert found.precision == same
                fitted.append(given["model"])
            assert alike(*fitted), kind

    def test_the_choice_is_kept(self, tmp_path, monkeypatch):
        monkeypatch.setattr(training.loop, "PAYS", math.inf)
        train(**regression(), steps=3, update=Update(precision="auto"), folder=tmp_path)
        monkeypatch.setattr(training.loop, "PAYS", 0.0)
        assert train(**regression(), steps=5, update=Update(precision="auto"), folder=tmp_path).precision == "bfloat16"

    def test_half_precision_goes_on_to_the_same_weights(self, tmp_path):
        update = Update(precision="bfloat16")
        whole = regression()
        train(**whole, steps=7, update=update)
        model, _ = in_sittings(lambda seed: regression(seed) | dict(steps=7, update=update), tmp_path)
        assert alike(whole["model"], model)


class TestBuckets:
    def drawn(self, seed):
        lengths = np.random.default_rng(0).integers(1, 60, 500)
        return lengths, buckets(lengths, 256, np.random.default_rng(seed))

    def test_every_row_once_within_the_budget_and_alike_in_length(self):
        lengths, groups = self.drawn(1)
        assert sorted(np.concatenate(groups).tolist()) == list(range(500))
        assert max(len(rows) * lengths[rows].max() for rows in groups) <= 256
        padded = sum(len(rows) * lengths[rows].max() for rows in groups)
        alone = np.array_split(np.random.default_rng(2).permutation(500), len(groups))
        assert padded < sum(len(rows) * lengths[rows].max() for rows in alone)
        assert (padded - lengths.sum()) <= 500 * 7 + len(groups) * 60  # within a bucket, and where two of them meet

    def test_a_seed_decides_them(self):
        first, again, other = (self.drawn(seed)[1] for seed in (1, 1, 2))
        assert all(map(np.array_equal, first, again))
        assert any(len(a) != len(b) or (a != b).any() for a, b in zip(first, other, strict=False))

    def test_a_row_longer_than_the_budget_is_alone(self):
        groups = buckets([5, 300, 5], 20, np.random.default_rng(0))
        assert sorted(rows.tolist() for rows in groups if 1 in rows) == [[1]]

    def test_epochs_differ_and_each_comes_back(self):
        batches = bucketed(np.arange(1, 200), 100)
        first, again, second = (
            [rows.tolist() for rows in batches(np.random.default_rng([0, epoch]), epoch)] for epoch in (0, 0, 1)
        )
        assert first == again and first != second

    @pytest.mark.parametrize(
        ("lengths", "options", "message"),
        [
            ([], {}, "lengths has shape"),
            ([1.5], {}, "dtype float64"),
            ([-1, 2], {}, "at least 0"),
            ([1], {"tokens": 0}, "tokens is 0"),
            ([1], {"multiple": 0}, "multiple is 0"),
        ],
    )
    def test_bad_input_is_named_at_once(self, lengths, options, message):
        with pytest.raises(ValueError, match=message):
            bucketed(lengths, **{"tokens": 10} | options)


class TestLog:
    def test_rows_are_means_since_the_row_before(self, tmp_path):
        values, rows = iter(range(1, 8)), []
        model = nn.Linear(1, 1)
        found = train(
            model,
            lambda batch, step: {"loss": (v := next(values)) + 0 * model.weight.sum(), "twice": 2 * v},
            lambda rng, epoch: range(4),
            steps=7,
            log=Log(every=3, call=rows.append),
            folder=tmp_path,
        )
        assert [row["step"] for row in rows] == [3, 6, 7] and rows == found.log
        assert [row["loss"] for row in rows] == [2, 5, 7] and [row["twice"] for row in rows] == [4, 10, 14]
        assert [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()] == rows
        assert found.losses == {"loss": 7, "twice": 14}

    def test_losses_since_the_last_row_are_told_when_it_pauses(self, tmp_path):
        values = iter([1.0, 2.0, 4.0])

        def call():
            model = nn.Linear(1, 1)
            return train(
                model,
                lambda batch, step: next(values) + 0 * model.weight.sum(),
                lambda rng, epoch: range(9),
                steps=9,
                log=Log(every=2),
                folder=Checkpoints(tmp_path, pause_after=0),
            )

        assert [call().losses["loss"] for _ in range(3)] == [1.0, 1.5, 4.0]

    def test_the_log_of_a_run_in_sittings_is_that_of_one(self, tmp_path):
        def make(seed=0):
            return made("metric_learning", seed) | {"log": Log(every=5)}

        whole = train(**make())
        _, found = in_sittings(make, tmp_path)

        def timeless(rows):
            return [{name: v for name, v in row.items() if not name.endswith("minutes")} for row in rows]

        assert timeless(found[-1].log) == timeless(whole.log)
        assert timeless([found[-1].best]) == timeless([whole.best])

    def test_a_lost_log_is_told_and_training_goes_on(self, tmp_path):
        train(**regression(), steps=5, folder=tmp_path)
        (tmp_path / "log.jsonl").unlink()
        with pytest.warns(UserWarning, match="has lost rows from before step 5"):
            assert train(**regression(), steps=6, folder=tmp_path).step == 6

    def test_a_bar_is_for_consoles(self, capsys, monkeypatch):
        train(**regression(), steps=5, log=Log(progress=True))
        assert capsys.readouterr() == ("", "")
        console = io.StringIO()
        monkeypatch.setattr(console, "isatty", lambda: True, raising=False)
        monkeypatch.setattr(sys, "stderr", console)
        train(**regression(), steps=5, log=Log(progress=True))
        assert "100%" in console.getvalue() and "loss=" in console.getvalue()


class TestCost:
    def test_without_a_folder_nothing_is_written(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        train(**regression(), steps=5)
        assert not list(tmp_path.iterdir())

    def test_the_loop_costs_less_than_the_smallest_steps(self):
        """The least time of several repetitions by turns: with the loop less than twice that of steps by hand."""
        given = regression()
        loss, optimizer = given["loss"], given["optimizer"]

        def by_hand():
            for epoch in range(50):
                for rows in given["batches"](np.random.default_rng([0, epoch]), epoch):
                    optimizer.zero_grad(set_to_none=True)
                    loss(rows, 0).backward()
                    optimizer.step()

        took = {by_hand: [], lambda: train(**given, epochs=50): []}
        for _ in range(5):
            for run, times in took.items():
                began = time.process_time()
                run()
                times.append(time.process_time() - began)
        steps, whole = map(min, took.values())
        assert whole < 2 * steps


class TestAccelerator:
    """What is left on a device so as not to wait for it at each step, and casting there; tried on the processor."""

    @pytest.fixture(autouse=True)
    def _elsewhere(self, monkeypatch):
        class Elsewhere(training.loop.Run):
            def __init__(self, *arguments):
                super().__init__(*arguments)
                self.on_cpu = False

        monkeypatch.setattr(training.loop, "Run", Elsewhere)

    @pytest.mark.parametrize(("every", "kept"), [(0, 6), (60, 0)])
    def test_the_step_that_diverged_is_named_though_it_is_seen_later(self, every, kept, tmp_path):
        given, steps = regression(), []

        def diverging(rows, step):
            steps.append(step)
            return given["loss"](rows, step) * (math.nan if step == 6 else 1)

        with pytest.raises(FloatingPointError, match=f"the loss is nan at step 6; .* holds step {kept};"):
            train(**given | {"loss": diverging}, steps=30, log=Log(every=10), folder=Checkpoints(tmp_path, every=every))
        assert steps[-1] == (6 if every == 0 else 9)
        saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
        assert all(torch.isfinite(value).all() for value in saved["model"].values())

    def test_weights_and_log_are_the_same(self, monkeypatch):
        first = regression()
        found = train(**first, steps=9, log=Log(every=4))
        monkeypatch.undo()
        second = regression()
        again = train(**second, steps=9, log=Log(every=4))
        assert alike(first["model"], second["model"])
        # means of 4 losses in single precision and in double
        for one, other in zip(found.log, again.log, strict=True):
            assert one["loss"] == pytest.approx(other["loss"], rel=4 * torch.finfo(torch.float32).eps)

    def test_half_precision_is_automatic_casting(self):
        given, types = regression(), set()
        given["model"][3].register_forward_hook(lambda module, inputs, output: types.add(output.dtype))
        train(**given, steps=2, update=Update(precision="bfloat16"), validation=lambda: given["loss"](np.arange(9), 0))
        assert types == {torch.bfloat16}
        assert {weight.dtype for weight in given["model"].parameters()} == {torch.float32}


class Unkeepable:
    def state_dict(self):
        return {"lambda": object()}

    def load_state_dict(self, state):
        pass


class TestErrors:
    def test_a_loss_that_is_not_finite_names_the_step_and_the_checkpoint(self, tmp_path):
        given = regression()

        def diverging(rows, step):
            return given["loss"](rows, step) * (math.nan if step == 6 else 1)

        def fit(folder):
            with pytest.raises(FloatingPointError) as error:
                train(**given | {"loss": diverging}, steps=9, folder=folder)
            return str(error.value)

        assert "the loss is nan at step 6; try" in fit(None)
        given = regression()
        message = fit(Checkpoints(tmp_path, every=0))
        assert f"the loss is nan at step 6; {tmp_path / 'checkpoint.pt'} holds step 6" in message
        assert train(**regression(), steps=9, folder=tmp_path).resumed_at == 6

    def test_weights_that_are_not_finite_never_become_a_checkpoint(self, tmp_path):
        given = regression()

        def spoil(step):
            if step == 4:
                given["model"][0].weight[0, 0] = math.inf

        with pytest.raises(FloatingPointError, match="weight is nan at step 4; .* holds step 3"):
            train(**given, steps=9, after_step=spoil, folder=Checkpoints(tmp_path, every=0))
        saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
        assert all(torch.isfinite(value).all() for value in saved["model"].values())

    def test_a_validation_that_is_not_finite(self):
        with pytest.raises(FloatingPointError, match="the validation loss is nan at step 0"):
            train(**regression(), steps=2, validation=lambda: math.nan)

    @pytest.mark.parametrize(
        ("options", "kind", "message"),
        [
            ({}, ValueError, "the budget is unknown: give one of steps, epochs, tokens, minutes"),
            ({"steps": -1}, ValueError, "steps is -1"),
            ({"steps": 2.5}, TypeError, "steps is 2.5"),
            ({"minutes": math.inf}, ValueError, "minutes is inf; a finite number"),
            ({"tokens": 10}, ValueError, "count is missing"),
            ({"steps": 1, "rng": -1}, ValueError, "rng is -1"),
            ({"steps": 1, "state": {"x": 3}}, TypeError, r"state\['x'\] is a int"),
            ({"steps": 1, "batches": lambda rng, epoch: []}, ValueError, "no batch in epoch 0"),
            ({"steps": 1, "batches": [1, 2]}, TypeError, "batches are functions"),
            ({"steps": 1, "loss": lambda batch, step: 1.0}, TypeError, "loss gave 1.0; a tensor"),
            ({"steps": 1, "loss": lambda batch, step: torch.ones(3)}, TypeError, r"a tensor of shape \(3,\)"),
            ({"steps": 1, "loss": lambda batch, step: {"l": 1}}, TypeError, "a dict with one as 'loss'"),
            ({"steps": 1, "validation": lambda: {"accuracy": 1}}, TypeError, "one entry must be 'loss'"),
        ],
    )
    def test_bad_input_is_named(self, options, kind, message):
        with pytest.raises(kind, match=message):
            train(**regression() | options)

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda: Update("step"), "schedule is 'step'; it is one of constant, linear, cosine"),
            (lambda: Update(precision="float16"), "precision is 'float16'"),
            (lambda: Update(clip=0), "clip is 0"),
            (lambda: Update(accumulate=0), "accumulate is 0"),
            (lambda: Validation(len, patience=0), "patience is 0"),
            (lambda: Checkpoints("x", every=-1), "every is -1"),
            (lambda: Log(every=0), "every is 0"),
            (lambda: shuffled(0, 4), "n is 0"),
            (lambda: shuffled(3, 4, drop_last=True), "no batch is left"),
            (lambda: train(nn.Identity(), len, shuffled(3, 3), steps=1), "no parameter that can be trained"),
        ],
    )
    def test_settings_out_of_range_are_named(self, make, message):
        with pytest.raises(ValueError, match=message):
            make()

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"rng": 1}, "rng is 0 there and 1 here"),
            ({"lr": 0.1}, "parameter group 0 lr is 0.05 there and 0.1 here"),
            ({"update": Update(clip=1.0)}, "clip is None there and 1.0 here"),
            ({"validation": Validation(lambda: 1.0, patience=2)}, "patience is missing there and 2 here"),
            ({"about": {"corpus": "other"}}, "about corpus is this there and other here"),
            ({"wide": True}, r"parameter 0.weight is \[8, 6\] there and \[9, 6\] here"),
        ],
    )
    def test_a_folder_of_another_run_names_what_differs(self, options, message, tmp_path):
        def fit(options):
            options = dict(options)
            given = regression(lr=options.pop("lr", 0.05))
            if options.pop("wide", False):
                given["model"][0], given["model"][3] = nn.Linear(6, 9), nn.Linear(9, 1)
                given["optimizer"] = torch.optim.Adam(given["model"].parameters(), lr=0.05)
            about = options.pop("about", {"corpus": "this"})
            return train(**given, steps=4, folder=Checkpoints(tmp_path, about=about), **options)

        fit({})
        with pytest.raises(ValueError, match=f"{tmp_path} holds another run: .*{message}"):
            fit(options)

    def test_a_state_that_could_not_be_read_again_is_refused_at_once(self, tmp_path):
        with pytest.raises(TypeError, match=r"state_dict of state\['sampler'\] cannot be kept"):
            train(**regression(), steps=2, state={"sampler": Unkeepable()}, folder=tmp_path)

    def test_a_folder_that_cannot_be_written_to(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(OSError, match="folder is .* cannot be written to"):
            train(**regression(), steps=2, folder=tmp_path / "file")

    def test_two_processes_do_not_train_in_one_folder(self, tmp_path):
        from filelock import FileLock

        with FileLock(tmp_path / ".lock"), pytest.raises(RuntimeError, match="another process trains in"):
            train(**regression(), steps=2, folder=tmp_path)
        assert train(**regression(), steps=2, folder=tmp_path).done
        assert train(**regression(), steps=3, folder=tmp_path).done


@pytest.mark.skipif(not Path("/proc/cpuinfo").is_file(), reason="the processor does not say what it can do")
def test_a_processor_has_bfloat16_if_it_says_so():
    said = [line.partition(":")[2].split() for line in Path("/proc/cpuinfo").read_text().splitlines()]
    wanted = {"amx_bf16", "avx512_bf16", "bf16"}
    assert training.has_bfloat16() == any(wanted & set(flags) for flags in said)
