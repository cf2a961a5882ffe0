"""What pages refuse at once: bounds accept what chapters do by default, and errors name the parameter."""

import pytest

from helpers.book.render import chapters, profile
from helpers.book.runs import parameters_of
from helpers.studies import choices, group_bounds, groups

DEFAULTS = {path.stem: {p.name: p.default for p in parameters_of(path).values()} for path in chapters()}
PAPER = profile("paper")


def defaults(chapter, names):
    return {name: DEFAULTS[chapter][name] for name in names.split()}


@pytest.mark.parametrize(
    ("check", "chapter", "names"),
    [
        ("check_measure_choices", "01_measures", "n_sentences n_few width k rtd_batch rtd_trials n_seeds"),
        ("check_chance_choices", "01b_chance", "n_sentences n_few width k n_seeds n_resamples n_shuffles"),
        (
            "check_failure_choices",
            "02_failure_modes",
            "n_points n_features n_seeds k rtd_batch rtd_trials n_sentences width",
        ),
        ("check_client_choices", "09_clients", "n_ideal"),
        ("check_client_choices", "09b_encoders", "classifier automl_runs n_ideal"),
        ("check_client_choices", "10_difference", "measures n_measured n_slow n_jobs n_permutations n_studies n_ideal"),
        ("check_client_choices", "11_decorrelation", "penalties mus epochs n_resamples"),
        ("check_client_choices", "12_replacing", "selection_classifier ps alphas"),
        ("check_client_choices", "13_aligning", "lambdas ridges n_toy"),
        ("check_client_choices", "14_unlabelled", "lam views n_resamples"),
        ("check_client_choices", "15_modalities", "strength text_width graph_width lambdas steps n_similar n_jobs"),
        ("check_group_choices", "20_groups", "methods steps n_resamples"),
        ("check_bound_choices", "21_group_bounds", "steps every n_cases"),
        ("check_size_choices", "22_group_size", "p sizes n_groups precision pilot n_digits"),
        ("check_report_choices", "own", "n_sentences n_objects folds"),
    ],
)
def test_what_a_chapter_does_by_default_is_accepted_and_no_flag_counts_as_a_number(check, chapter, names):
    values = defaults(chapter, names)
    function = getattr(choices, check)
    function(**values)
    function(**(values | {name: value for name, value in PAPER.get(chapter, {}).items() if name in values}))
    for name, value in values.items():
        with pytest.raises((TypeError, ValueError), match=name):
            function(**(values | {name: [True] if isinstance(value, list) else True}))


def test_grids_and_memory_of_the_page_on_large_n_are_checked():
    values = defaults("03_scale", "n_sentences width k subset_sizes n_subsets rtd_batch rtd_trials max_memory")
    grids = defaults("03_scale", "grid_n grid_d grid_layers")
    choices.check_scale_choices(**values, grids=grids)
    choices.check_scale_choices(**(values | {"max_memory": 10**8}), grids=grids)
    with pytest.raises(ValueError, match="grid_d is \\[64, 64\\]; two different sizes are needed"):
        choices.check_scale_choices(**values, grids=grids | {"grid_d": [64, 64]})


def test_layers_need_an_encoder_and_halves():
    values = defaults("04_layers", "n_sentences k rtd_batch rtd_trials n_halves n_permutations")
    choices.check_layer_choices(["encoders/bert"], **values)
    with pytest.raises(ValueError, match="encoders is empty; at least one folder"):
        choices.check_layer_choices([], **values)
    with pytest.raises(FileNotFoundError, match="the encoders of the book are encoders/bert"):
        choices.check_layer_choices(["encoders/bert", "encoders/nobody"], **values)


@pytest.mark.parametrize("least", [groups.LEAST_DRAWN, group_bounds.LEAST_DRAWN])
def test_the_fewest_drawings_are_accepted_and_not_one_fewer(least):
    choices.check_drawing_choices(least, least)
    choices.check_drawing_choices({}, least)
    for name, number in least.items():
        with pytest.raises(ValueError, match=f"{name} is {number - 1}; it must be at least {number}"):
            choices.check_drawing_choices(least | {name: number - 1}, least)


def test_an_unknown_parameter_of_a_page_on_clients_is_no_value():
    with pytest.raises(KeyError, match="n_lambs"):
        choices.check_client_choices(n_lambs=3)
