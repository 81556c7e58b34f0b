"""
Domain names on the wire (RFC 1035, 3.1 and 4.1.4), read in time that grows with the message alone.

A compression pointer must lead strictly backwards, so that none can loop.  That does not bound the
work: thousands of records may each point at the same 126 labels.  `Names` follows each part of a
message once, however many names end in it.
"""

from attrs import define, field

_POINTER = 0xC0
_LABEL_MAX = 63
_NAME_MAX = 255
_HOPS_MAX = 128  # no name has more labels; a longer chain is made to be slow
_HOPS_SHIFT = 8
_ONE_HOP = 1 << _HOPS_SHIFT


class MessageDamaged(ValueError):
    """
    A message that no honest server sends: cut off, out of bounds, looping.
    """


def read_name(message: bytes, at: int) -> tuple[bytes, int]:
    """
    The name at *at*, uncompressed and in lower case, as on the wire; and where the next thing begins.

    For single names: code that reads the names of many records uses `Names`.
    """
    labels, octets, lowest, end, hops = [], 0, at, -1, 0
    try:
        while length := message[at]:
            if length >= _POINTER:
                target = (length & 0x3F) << 8 | message[at + 1]
                end = at + 2 if end < 0 else end
                hops += 1
                if target >= lowest:
                    raise MessageDamaged("a compression pointer does not point backwards")
                if hops > _HOPS_MAX:
                    raise MessageDamaged("an endless chain of compression pointers")
                at = lowest = target
                continue
            if length > _LABEL_MAX:
                raise MessageDamaged("an unknown label type")
            label = message[at : at + 1 + length]
            octets += len(label)
            if octets >= _NAME_MAX or len(label) <= length:
                raise MessageDamaged("a name over 255 octets, or truncated")
            labels.append(label)
            at += 1 + length
    except IndexError:
        raise MessageDamaged("a name is truncated") from None
    # Length octets are below 64, so that lowering cannot touch them.
    return b"".join(labels).lower() + b"\0", at + 1 if end < 0 else end


def skip_name(message: bytes, at: int, tails: dict[int, int]) -> tuple[int, int]:
    """
    The uncompressed length of the name at *at*, and where the next thing begins.

    *tails* remembers what the pointers of earlier names led to; it begins empty for each message.
    Raises IndexError where the message ends within the name, and `MessageDamaged`.
    """
    start, octets = at, 0
    while True:
        length = message[at]
        if length >= _POINTER:
            target = (length & 0x3F) << 8 | message[at + 1]
            if target >= start:
                raise MessageDamaged("a compression pointer does not point backwards")
            tail = tails.get(target) or _measure(message, target, tails)
            if tail >> _HOPS_SHIFT >= _HOPS_MAX:
                raise MessageDamaged("an endless chain of compression pointers")
            octets += tail & _NAME_MAX
            at += 2
            break
        if length > _LABEL_MAX:
            raise MessageDamaged("an unknown label type")
        octets += length + 1
        at += length + 1
        if not length:
            break
        if octets > _NAME_MAX:
            raise MessageDamaged("a name over 255 octets")
    if octets > _NAME_MAX:
        raise MessageDamaged("a name over 255 octets")
    return octets, at


def _measure(message: bytes, at: int, tails: dict[int, int]) -> int:
    """
    What begins at *at*: its uncompressed length, and its pointers times 256 (numbers make no work
    for the garbage collector).

    Every label on the way is remembered in *tails*, so that all names of a message together look
    at each of its labels and pointers once.
    """
    way: list[tuple[int, int]] = []
    start = at
    while (tail := tails.get(at)) is None:
        length = message[at]
        if length >= _POINTER:
            target = (length & 0x3F) << 8 | message[at + 1]
            if target >= start:
                raise MessageDamaged("a compression pointer does not point backwards")
            way.append((at, _ONE_HOP))
            at = start = target
        elif length > _LABEL_MAX:
            raise MessageDamaged("an unknown label type")
        elif length:
            way.append((at, length + 1))
            at += length + 1
        else:
            tail = tails[at] = 1
            break
        if len(way) > _NAME_MAX:
            raise MessageDamaged("a name over 255 octets")
    for begin, more in reversed(way):
        if (tail & _NAME_MAX) + (more & _NAME_MAX) > _NAME_MAX:
            raise MessageDamaged("a name over 255 octets")
        tail = tails[begin] = tail + more
    return tail


@define(eq=False)
class Names:
    """
    The names of one message, as `read_name` gives them, each part of it read once.

    Kept no longer than the message is looked at: every label that is pointed at costs a name.
    """

    message: bytes
    _tails: dict[int, bytes] = field(factory=dict, init=False)

    def read(self, at: int) -> bytes:
        """The name at *at*; raises `MessageDamaged`."""
        return self.read_on(at)[0]

    def read_on(self, at: int) -> tuple[bytes, int]:
        """The name at *at*, and where the next thing begins."""
        message, begin = self.message, at
        try:
            while 0 < (length := message[at]) <= _LABEL_MAX:
                at += 1 + length
                if at - begin >= _NAME_MAX:
                    raise MessageDamaged("a name over 255 octets")
            if not length:
                return message[begin : at + 1].lower(), at + 1
            if length < _POINTER:
                raise MessageDamaged("an unknown label type")
            target = (length & 0x3F) << 8 | message[at + 1]
        except IndexError:
            raise MessageDamaged("a name is truncated") from None
        if target >= begin:
            raise MessageDamaged("a compression pointer does not point backwards")
        tail = self._tails.get(target)
        if tail is None:
            tail = self._tail(target)
        name = message[begin:at].lower() + tail
        if len(name) > _NAME_MAX:
            raise MessageDamaged("a name over 255 octets")
        return name, at + 2

    def _tail(self, at: int) -> bytes:
        """What a pointer to *at* stands for; each label on the way is remembered with what follows."""
        message, tails = self.message, self._tails
        way: list[tuple[int, bytes]] = []
        start = at
        try:
            while (tail := tails.get(at)) is None:
                length = message[at]
                if length >= _POINTER:
                    target = (length & 0x3F) << 8 | message[at + 1]
                    if target >= start:
                        raise MessageDamaged("a compression pointer does not point backwards")
                    way.append((at, b""))
                    at = start = target
                elif length > _LABEL_MAX:
                    raise MessageDamaged("an unknown label type")
                elif length:
                    way.append((at, message[at : at + 1 + length].lower()))
                    at += 1 + length
                else:
                    tail = tails[at] = b"\0"
                    break
                if len(way) > _NAME_MAX:
                    raise MessageDamaged("a name over 255 octets")
        except IndexError:
            raise MessageDamaged("a name is truncated") from None
        for begin, label in reversed(way):
            tail = tails[begin] = label + tail
            if len(tail) > _NAME_MAX:
                raise MessageDamaged("a name over 255 octets")
        return tail
