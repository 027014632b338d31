"""The names of keys, as a user writes them in the configuration file and as Textual knows them."""

from textual.keys import KEY_NAME_REPLACEMENTS, Keys, _character_to_key, key_to_character

_MODIFIERS = frozenset({"ctrl", "shift", "alt", "super", "meta", "hyper"})
_NAMED_KEYS = frozenset(key.value for key in Keys) | frozenset(KEY_NAME_REPLACEMENTS.values())


def key_name(key: str) -> str | None:
    """Return Textual's name of a key (`question_mark` for `?`), None if no such key exists.

    Textual takes any name for a key, and one that it does not know never fires.
    """
    if len(key) == 1:
        return _character_to_key(key) if key.isprintable() else None
    *modifiers, base = key.split("+")
    if not base or not _MODIFIERS.issuperset(modifiers):
        return None
    character = key_to_character(base)
    known = base in _NAMED_KEYS or (character is not None and character.isprintable())
    return key if known else None
