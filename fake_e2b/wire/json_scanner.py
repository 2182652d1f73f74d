"""Says where a text stops being JSON, in the words of the control plane's library.

Only used once a text is known to be broken.
"""

from __future__ import annotations

_SHORT_ESCAPES = {7: "a", 8: "b", 9: "t", 10: "n", 11: "v", 12: "f", 13: "r", 92: "\\", 39: "'"}
_DIGITS = b"0123456789"
_HEX_DIGITS = b"0123456789abcdefABCDEF"
_WORDS = {ord("t"): b"true", ord("f"): b"false", ord("n"): b"null"}


class InvalidJSONError(ValueError):
    """A text is not JSON; `str()` is what the service says about it."""


class Scanner:
    """Reads one value.

    Args:
        data: The text, not empty.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def complaint(self) -> str:
        """What is wrong with the text."""
        try:
            self._values()
        except InvalidJSONError as error:
            return str(error)
        except IndexError:
            return "unexpected EOF"
        return "invalid number literal"

    def _values(self) -> None:
        closers: list[int] = []
        self._value_start(closers)
        while closers:
            in_object = closers[-1] == ord("}")
            byte = self._next()
            if byte == closers[-1]:
                closers.pop()
                continue
            if byte != ord(","):
                where = "after object key:value pair" if in_object else "after array element"
                raise _unexpected(byte, where)
            if in_object:
                self._key(self._next())
            self._value_start(closers)

    def _value_start(self, closers: list[int]) -> None:
        """Enter arrays and objects until a value is complete."""
        while True:
            byte = self._next()
            if byte == ord("{"):
                byte = self._next()
                if byte == ord("}"):
                    return
                closers.append(ord("}"))
                self._key(byte)
            elif byte == ord("["):
                if self._peek() == ord("]"):
                    self._next()
                    return
                closers.append(ord("]"))
            else:
                self._scalar(byte)
                return

    def _key(self, byte: int) -> None:
        if byte != ord('"'):
            raise _unexpected(byte, "looking for beginning of object key string")
        self._string()
        byte = self._next()
        if byte != ord(":"):
            raise _unexpected(byte, "after object key")

    def _scalar(self, byte: int) -> None:
        if byte == ord('"'):
            self._string()
        elif byte in _WORDS:
            self._word(_WORDS[byte])
        elif byte == ord("-") or byte in _DIGITS:
            self._number(byte)
        else:
            raise _unexpected(byte, "looking for beginning of value")

    def _word(self, word: bytes) -> None:
        for expected in word[1:]:
            byte = self._take()
            if byte != expected:
                raise _unexpected(byte, f"in literal {word.decode()} (expecting '{chr(expected)}')")

    def _number(self, byte: int) -> None:
        if byte == ord("-"):
            byte = self._take()
            if byte not in _DIGITS:
                raise _unexpected(byte, "in numeric literal")
        if byte != ord("0"):
            self._digits()
        if self._ahead(b"."):
            self._take()
            self._some_digits("after decimal point in numeric literal")
        if self._ahead(b"eE"):
            self._take()
            if self._ahead(b"+-"):
                self._take()
            self._some_digits("in exponent of numeric literal")

    def _digits(self) -> None:
        while self._ahead(_DIGITS):
            self._at += 1

    def _some_digits(self, where: str) -> None:
        byte = self._take()
        if byte not in _DIGITS:
            raise _unexpected(byte, where)
        self._digits()

    def _string(self) -> None:
        while (byte := self._take()) != ord('"'):
            if byte < 0x20:
                raise _unexpected(byte, "in string literal")
            if byte == ord("\\"):
                self._escape(self._take())

    def _escape(self, byte: int) -> None:
        if byte == ord("u"):
            for _ in range(4):
                digit = self._take()
                if digit not in _HEX_DIGITS:
                    raise _unexpected(digit, "in \\u hexadecimal character escape")
        elif byte not in b'bfnrt\\/"':
            raise _unexpected(byte, "in string escape code")

    def _take(self) -> int:
        byte = self._data[self._at]
        self._at += 1
        return byte

    def _next(self) -> int:
        """The next byte that is no space."""
        while (byte := self._take()) in b" \t\r\n":
            pass
        return byte

    def _peek(self) -> int:
        at = self._at
        byte = self._next()
        self._at = at
        return byte

    def _ahead(self, any_of: bytes) -> bool:
        return self._at < len(self._data) and self._data[self._at] in any_of


def _unexpected(byte: int, where: str) -> InvalidJSONError:
    return InvalidJSONError(f"invalid character {_quoted(byte)} {where}")


def _quoted(byte: int) -> str:
    """A byte between single quotes, taken for a Latin-1 character."""
    if byte in _SHORT_ESCAPES:
        return f"'\\{_SHORT_ESCAPES[byte]}'"
    if byte < 0x20 or byte == 0x7F:
        return f"'\\x{byte:02x}'"
    if 0x80 <= byte <= 0xA0 or byte == 0xAD:
        return f"'\\u{byte:04x}'"
    return f"'{chr(byte)}'"
