"""Floor of the book: runs, fingerprints, rendering, records, figures; imports no study."""
