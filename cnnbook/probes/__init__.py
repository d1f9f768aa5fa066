"""The questions that `cnnbook.exercises.check` knows, a module a chapter.

Each module names its questions in `QUESTIONS`, a tuple of
`cnnbook.exercises.Question`; ids are "<module>.q1" and so on. What is right
and what is known to be wrong, tests/exercise_gallery/<module>.py collects.
"""
