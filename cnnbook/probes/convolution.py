"""The exercises of the chapter on convolution."""

from cnnbook.exercises import Question

QUESTIONS = (
    Question(
        "convolution.q1",
        "The door of a ResNet",
        reference=(224 + 2 * 3 - 7) // 2 + 1,
        hints=(
            (111, "the first window counts too: add 1 after the division."),
            (109, "the padding is missing: 3 pixels at *each* end."),
            (110, "the padding stands at both ends: it adds 6, not 3."),
            (111.5, "half a window is none: take the floor, then add 1."),
            (112.5, "a window lies inside or it does not: take the floor."),
            (113, "the last window would reach over the edge: floor."),
            (224, "stride 2 visits every second place only."),
        ),
    ),
    Question(
        "convolution.q2",
        "Count the parameters",
        reference=128 * (3 * 3 * 64 + 1),
        hints=(
            (128 * 3 * 3 * 64, "the biases are missing: one a filter."),
            (128 * (3 * 3 + 1), "a filter reads all 64 maps, not one."),
            (64 * (3 * 3 * 128 + 1), "the biases belong to the outputs."),
            (128 * 64 * (3 * 3 + 1), "one bias a filter, not one a map."),
        ),
    ),
)
