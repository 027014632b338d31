"""The whole at once: layers as blocks, an expression as a graph, a line of numbers a layer."""
