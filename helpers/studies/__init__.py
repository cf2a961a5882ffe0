"""Floor of the studies: one module for each chapter; imports the library and the book."""
