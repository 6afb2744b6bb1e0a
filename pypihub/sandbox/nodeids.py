"""GitHub's global node ids: a prefix and the base64url of a MessagePack array of numbers, without padding."""

import base64

_FIXED_ARRAY = 0x90
_FIXED_INTEGER_END = 0x80
_WIDTHS = ((0xCC, 1), (0xCD, 2), (0xCE, 4), (0xCF, 8))


def node_id(prefix: str, *numbers: int) -> str:
    """Return the id of a record, such as ``RA_kwDOMcJSyM4K9qiP`` for ``("RA", 834818760, 183937167)``.

    :param prefix: ``U``, ``O``, ``R``, ``RE`` or ``RA``.
    :param numbers: the database ids on the way to the record, the record's own last; each from 0 to 2**64 - 1.
    :raises ValueError: for a number out of range.
    """
    packed = bytes([_FIXED_ARRAY + 1 + len(numbers)]) + b"".join(_pack(number) for number in (0, *numbers))
    return f"{prefix}_{base64.urlsafe_b64encode(packed).rstrip(b'=').decode()}"


def _pack(number: int) -> bytes:
    """Write a number as MessagePack's shortest unsigned integer."""
    if 0 <= number < _FIXED_INTEGER_END:
        return bytes([number])
    for mark, width in _WIDTHS:
        if 0 <= number < 1 << (8 * width):
            return bytes([mark]) + number.to_bytes(width)
    raise ValueError(f"no node id holds the number {number}")
