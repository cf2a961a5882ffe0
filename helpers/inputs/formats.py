"""Which files are read, what of them, and what to do about all others."""

from __future__ import annotations

from pathlib import PurePath
from typing import NamedTuple

__all__ = [
    "COMPRESSED",
    "FORMATS",
    "RECIPES",
    "SUFFIXES",
    "FileFormat",
    "describe_formats",
    "endings",
    "format_of",
    "recipe_for",
]


class FileFormat(NamedTuple):
    """A family of files and the reader that they have in common."""

    title: str
    suffixes: tuple[str, ...]
    reader: str  # module of this package
    table: bool  # columns and rows, else arrays with names
    content: str  # what becomes an embedding
    ids: str  # what can name the objects
    mapped: str  # whether numbers are used where they lie
    package: str = ""  # to be installed for it


_COLUMN = "a column `id`"
_ARRAY = "an array `id`, or `a.ids.txt` beside `a`"

FORMATS: tuple[FileFormat, ...] = (
    FileFormat(
        "NumPy",
        (".npy", ".npz"),
        "_arrays",
        False,
        "every matrix; sparse ones of SciPy; one vector for each name",
        _ARRAY,
        "yes, but for compressed, sparse and 16-bit ones",
    ),
    FileFormat("safetensors", (".safetensors",), "_arrays", False, "every matrix", _ARRAY, "yes, but for 16-bit ones"),
    FileFormat(
        "PyTorch",
        (".pt", ".pth"),
        "_torch",
        False,
        "every matrix, in dictionaries and lists too; read with `weights_only=True`",
        _ARRAY,
        "yes, but for 16-bit ones",
    ),
    FileFormat(
        "HDF5, AnnData",
        (".h5", ".hdf5", ".h5ad"),
        "_hdf5",
        False,
        "every matrix; of AnnData those of `obsm`, else `X`; one vector for each name",
        "an array `id`; `obs`; the names of vectors",
        "yes, where stored in one piece",
        "h5py",
    ),
    FileFormat(
        "MATLAB",
        (".mat",),
        "_matlab",
        False,
        "every matrix, sparse ones too; files of version 7.3 need h5py",
        "a variable `id`",
        "version 7.3, where stored in one piece",
    ),
    FileFormat(
        "Parquet",
        (".parquet", ".pq"),
        "_columnar",
        True,
        "each column of vectors, or all numbers",
        _COLUMN,
        "converted",
    ),
    FileFormat(
        "Arrow, Feather",
        (".arrow", ".feather", ".ipc"),
        "_columnar",
        True,
        "as Parquet; a saved folder of `datasets` is one table",
        _COLUMN,
        "converted",
    ),
    FileFormat(
        "CSV",
        (".csv", ".tsv"),
        "_delimited",
        True,
        "each column of vectors in text, pgvector's too, or all numbers; decimal commas",
        _COLUMN,
        "converted",
    ),
    FileFormat(
        "JSON",
        (".json", ".jsonl", ".ndjson"),
        "_json",
        True,
        "lists of numbers: records, columns, answers of APIs and files of their batches",
        "`custom_id`, `id`, `_id`, or the keys",
        "converted",
    ),
    FileFormat(
        "word vectors",
        (".vec", ".emb", ".txt", ".bin"),
        "_words",
        True,
        "word2vec, GloVe and fastText as text, word2vec as binary; plain matrices as text",
        "the word",
        "converted",
    ),
    FileFormat(
        "Excel",
        (".xlsx", ".xlsm"),
        "_excel",
        True,
        "the first sheet, as CSV",
        _COLUMN,
        "converted",
        "openpyxl",
    ),
    FileFormat(
        "raw numbers",
        (".dat", ".raw", ".mmap", ".memmap", ".fbin", ".u8bin", ".i8bin", ".fvecs", ".bvecs"),
        "_raw",
        False,
        "the matrix, of which `a.dat.json` (or a name such as `a.1000x768.float32.dat`) tells shape and dtype",
        "`a.ids.txt` beside `a`",
        "yes",
    ),
)

#: Endings of text that is compressed; the format is that of the ending before.
COMPRESSED = (".gz", ".bz2", ".xz", ".zst")

SUFFIXES: dict[str, FileFormat] = {suffix: one for one in FORMATS for suffix in one.suffixes}
_TEXT = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".vec", ".emb", ".txt")

_PICKLE = (
    "may be pickled, and pickles are never loaded; save its arrays: np.save('x.npy', x), or save_file of safetensors"
)
_ARCHIVE = "an archive; unpack it: python -m tarfile -e FILE FOLDER, or python -m zipfile -e FILE FOLDER"
_PANDAS = "save it as a table: pandas.{}(FILE).to_parquet('x.parquet')"
_SQL = "a database; save the table: pandas.read_sql('select * from t', connection).to_parquet('x.parquet')"

#: What to type about files that are not read, by ending.
RECIPES: dict[str, str] = {
    **dict.fromkeys((".pkl", ".pickle", ".joblib", ".p", ".ckpt"), _PICKLE),
    **dict.fromkeys(
        (".kv", ".model", ".w2v"),
        "pickled by gensim, and pickles are never loaded; save it as text: "
        "KeyedVectors.load(FILE).save_word2vec_format('x.vec')",
    ),
    **dict.fromkeys((".zip", ".tar", ".tgz"), _ARCHIVE),
    **dict.fromkeys((".7z", ".rar"), "an archive; unpack it: 7z x FILE"),
    **dict.fromkeys(
        (".part", ".partial", ".crdownload", ".download", ".tmp"),
        "a download, or something saved, that did not come to its end; finish it, or do it again",
    ),
    **dict.fromkeys((".db", ".sqlite", ".sqlite3", ".duckdb"), _SQL),
    **dict.fromkeys(
        (".annoy", ".usearch", ".hnsw"),
        "an index; save the vectors that it was made of: np.save('x.npy', x)",
    ),
    **dict.fromkeys(
        (".svm", ".libsvm"),
        "save its matrix: scipy.sparse.save_npz('x.npz', sklearn.datasets.load_svmlight_file(FILE)[0])",
    ),
    ".mtx": "save it: scipy.sparse.save_npz('x.npz', scipy.sparse.csr_matrix(scipy.io.mmread(FILE)))",
    ".arff": "save it as a table: pandas.DataFrame(scipy.io.arff.loadarff(FILE)[0]).to_parquet('x.parquet')",
    ".psv": "a table whose delimiters are found; save it by another name: shutil.copy(FILE, 'x.csv')",
    ".yaml": "save it as JSON: json.dump(yaml.safe_load(open(FILE)), open('x.json', 'w'))",
    ".yml": "save it as JSON: json.dump(yaml.safe_load(open(FILE)), open('x.json', 'w'))",
    **dict.fromkeys(
        (".faiss", ".index"),
        "an index; save its vectors: np.save('x.npy', index.reconstruct_n(0, index.ntotal))",
    ),
    ".xls": _PANDAS.format("read_excel"),
    ".ods": _PANDAS.format("read_excel"),
    ".orc": _PANDAS.format("read_orc"),
    ".dta": _PANDAS.format("read_stata"),
    ".sav": _PANDAS.format("read_spss"),
    ".sas7bdat": _PANDAS.format("read_sas"),
    ".xml": _PANDAS.format("read_xml"),
    ".html": _PANDAS.format("read_html") + ", of which it gives a list",
    ".avro": "save it as a table: polars.read_avro(FILE).write_parquet('x.parquet')",
    ".lance": "save it as a table: pyarrow.parquet.write_table(lance.dataset(FILE).to_table(), 'x.parquet')",
    ".rds": "save it from R: arrow::write_parquet(as.data.frame(readRDS(FILE)), 'x.parquet')",
    ".rdata": "save it from R: load(FILE); arrow::write_parquet(as.data.frame(x), 'x.parquet')",
    ".tfrecord": "save its vectors as arrays: np.save('x.npy', x)",
    ".onnx": "a model and no embedding; run it, and save what it gives: np.save('x.npy', x)",
    ".gguf": "a model and no embedding; run it, and save what it gives: np.save('x.npy', x)",
    ".loom": "save it as AnnData: anndata.read_loom(FILE).write('x.h5ad')",
    ".zarr": "save its arrays: np.save('x.npy', zarr.open(FILE)['x'][:])",
    ".msgpack": "save it as JSON or arrays: np.save('x.npy', np.asarray(msgpack.unpackb(open(FILE, 'rb').read())))",
}


def endings(name: str) -> tuple[str, str]:
    """The name without, and the ending with the compression of text taken off: ``a.csv.gz`` gives ``a`` and ``.csv``.

    >>> endings("sub/a.b.csv.gz"), endings("a.npy"), endings("a.npy.gz")
    (('sub/a.b', '.csv'), ('a', '.npy'), ('a.npy', '.gz'))
    """
    path = PurePath(name)
    if path.suffix.lower() in COMPRESSED and path.with_suffix("").suffix.lower() in _TEXT:
        path = path.with_suffix("")
    return path.with_suffix("").as_posix(), path.suffix.lower()


def format_of(name: str) -> FileFormat | None:
    """The format that a file has by its name.

    >>> format_of("a.jsonl.zst").title
    'JSON'
    """
    return SUFFIXES.get(endings(str(name))[1])


def recipe_for(name: str) -> str:
    """Why a file of another format is not read, and what to type instead.

    >>> recipe_for("a.xls")
    "save it as a table: pandas.read_excel(FILE).to_parquet('x.parquet')"
    """
    suffix = PurePath(name).suffix.lower()
    if suffix in COMPRESSED:
        return f"compressed ({suffix}); unpack it: only text is read compressed ({', '.join(_TEXT)})"
    if not suffix:
        return "has no ending, which would tell its format"
    return RECIPES.get(suffix) or f"format {suffix}; read are {', '.join(SUFFIXES)}"


def describe_formats(width: int = 0) -> str:
    """All formats with what is read of each: as a table in Markdown, or as lines for a console of this width.

    >>> print(describe_formats(80)[:39])
    .npy .npz
        every matrix; sparse ones
    """
    if not width:
        head = ("format", "files", "what is read as embeddings", "ids", "numbers used where they lie", "needs")
        rows = [
            (f.title, " ".join(f"`{s}`" for s in f.suffixes), f.content, f.ids, f.mapped, f.package) for f in FORMATS
        ]
        return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))
    import textwrap

    lines = []
    for one in FORMATS:
        needs = f" (needs {one.package})" * bool(one.package)
        lines += [" ".join(one.suffixes) + needs]
        lines += textwrap.wrap(one.content.replace("`", ""), width, initial_indent=" " * 4, subsequent_indent=" " * 4)
    lines.append(f"Text may be compressed: {' '.join(COMPRESSED)}.")
    return "\n".join(lines)
