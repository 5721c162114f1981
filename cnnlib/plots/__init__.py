"""The figures of the book, drawn with Matplotlib, which nothing else in the library imports."""
