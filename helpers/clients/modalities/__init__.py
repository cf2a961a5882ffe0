r"""More than transactions: what the same clients write, and whom they pay.

Given the age :math:`a` and the lifestyle :math:`z` of a simulated client (:mod:`helpers.clients.simulator`), three
windows open on them, independently of each other but for what the text quotes of the purchases:

- **transactions**, as the simulator draws them;
- **text**: a number of support messages that tells nothing; the topic of each is drawn from :math:`P(t \mid z)`, the
  purchase that it is about is one of the client's own, and all are written in one style, drawn from
  :math:`P(s \mid a)`;
- **graph**: client i makes :math:`\mathrm{Poisson}(d\,\theta_i)` payments, each to client j with probability
  :math:`\theta_j\,w(i, j) / Z_i`, where :math:`w = 1 + \eta_z [z_i = z_j] + \eta_a [a_i = a_j]`: a degree-corrected
  block model (Karrer and Newman, 2011, Physical Review E 83) whose blocks are the pairs (age, lifestyle).

So the topics say again what the purchases say, the style says something of its own, and the graph both, but only
through others. Sources that have no such data get a text made of their categories and a graph made of the rare
categories that clients share; both are transactions once more, and :attr:`Modalities.origin` says so.
"""

from helpers.clients.modalities.ceilings import ceilings
from helpers.clients.modalities.data import KINDS, Modalities
from helpers.clients.modalities.graph import embed_graph, link_rare_categories, make_payments
from helpers.clients.modalities.making import make_modalities
from helpers.clients.modalities.texts import describe_categories, embed_texts, write_messages

__all__ = [
    "KINDS",
    "Modalities",
    "ceilings",
    "describe_categories",
    "embed_graph",
    "embed_texts",
    "link_rare_categories",
    "make_modalities",
    "make_payments",
    "write_messages",
]
