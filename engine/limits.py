"""Every limit on what a file, an expression or a run may ask for."""

MAX_SCENARIO_BYTES = 32 * 2**20
"""A scenario file."""

MAX_CONFIG_BYTES = 2**20
"""A configuration file."""

MAX_DATA_BYTES = 64 * 2**20
"""A data file; also what the arrays of an NPZ file may come to, unpacked."""

MAX_ELEMENTS = 10_000_000
"""Numbers in one tensor."""

MAX_WORK = 100_000_000
"""Numbers that the operations of one expression take or give."""

MAX_WORK_AT_ONCE = 10_000_000
"""The same for an expression that a key waits for, and for all watches together.

That is a part of a second."""

MAX_WORK_OF_A_LINE_AT_ONCE = 2_000_000
"""The same for a line that a key waits for: many may follow one another."""

MAX_PARAMETERS = 50_000_000
"""Numbers in all weights and biases of a network together."""

MAX_LIVE = 200_000_000
"""Numbers in all tensors of an iteration together, at eight bytes each at most 1.6 GB."""

MAX_LAYERS = 1_000
"""Layers of a network."""

MAX_AXES = 16
"""Lists inside one another in an array."""

MAX_KEY_PARTS = 64
"""Names joined by dots in one TOML key."""

MAX_CSV_COLUMNS = 100_000
"""Columns of a CSV file."""

MAX_COUNT = 2**53
"""Iterations, epochs, hits, seeds: the whole numbers that every reader of JSON keeps exact."""

HISTORY_BYTES = 256 * 2**20
"""The most of the past of a run that is kept, unless the configuration says otherwise."""

MAX_TABLES = 10_000
"""Tables in a list of the scenario: breakpoints, watches, notes, expectations."""


MAX_TEXT = 100_000
"""Characters in one text."""

MAX_NAME = 100
"""Characters in one name of an expression or a program."""

MAX_TOKENS = 50_000
"""Names, numbers and signs in one text."""

MAX_DIGITS = 400
"""Characters in one number."""

MAX_STATEMENTS = 10_000
"""Assignments in one program."""

MAX_DEPTH = 100
"""Operations inside one another; a sum of n terms is n - 1 deep."""

MAX_INDEX = 2**31 - 1
"""The largest index, slice bound or axis, either sign."""
