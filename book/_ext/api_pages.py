"""What the reference of the package leaves out: methods that scikit-learn adds to every estimator, and inherited ones."""

from __future__ import annotations

ROUTING = ("set_fit_request", "set_transform_request", "set_score_request", "set_predict_request")


def leave_out(app, what, name, member, skip, options):
    return True if name in ROUTING else None


def setup(app):
    app.setup_extension("sphinx.ext.autodoc")
    app.setup_extension("sphinx.ext.napoleon")
    app.connect("autodoc-skip-member", leave_out)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
