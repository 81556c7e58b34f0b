"""
What may stand before a line's text, and what is to be read out of it: one table for all who read it.
"""

from typing import NamedTuple

RECEIVED = "2013-04-16T00:00:00+00:00"
"""Lends its year to the stamps below that have none."""


class Form(NamedTuple):
    """
    *names* are the candidates of attribution, the device first; *at* the time of the innermost stamp,
    None where it cannot be told.  *leads*: a SIEM finds the device's name where the RFCs have it, and as it is.
    """

    head: bytes
    names: tuple[bytes, ...] = ()
    at: str | None = None
    zone: bytes | None = None
    sequence: int | None = None
    doubtful: tuple[bytes, ...] = ()
    leads: bool = False


APRIL = "2013-04-15T09:36:50+00:00"
NOVEMBER = "2026-11-30T05:54:08+00:00"
BOM = b"\xef\xbb\xbf"

FORMS = [
    # The firewall's own (docs/develop/asa.md, section 7).
    Form(b""),
    Form(b"<166>"),
    Form(b"<166>:"),
    Form(b"<166>Apr 15 2013 09:36:50: ", at=APRIL),
    Form(b"<166>Apr 15 2013 09:36:50 : ", at=APRIL),
    Form(b"<166>Apr 15 2014 09:34:34 EDT: ", at="2014-04-15T09:34:34-04:00", zone=b"EDT"),
    Form(b"<166>Apr 24 2013 16:00:28 INT-FW01 : ", (b"INT-FW01",), "2013-04-24T16:00:28+00:00", leads=True),
    Form(b"<166>Apr 15 2014 09:34:34 IST fw1 : ", (b"fw1",), None, b"IST"),
    Form(b"<166>Apr 15 2014 09:34:34 EDT fw1 ", (b"fw1",), "2014-04-15T09:34:34-04:00", b"EDT"),
    Form(b"<166>2018-06-27T12:17:46Z asa : ", (b"asa",), "2018-06-27T12:17:46+00:00", leads=True),
    Form(b"<166>2018-06-27T12:17:46Z  : ", (), "2018-06-27T12:17:46+00:00"),
    Form(b"<166>Feb 30 2013 09:36:50: "),
    Form(b"<166>Apr  5  2013  09:36:50.125 fw1: ", (b"fw1",), "2013-04-05T09:36:50.125+00:00"),
    Form(b"<166>fw1 : ", (b"fw1",)),
    Form(b"<166>2001:db8::9 : ", (b"2001:db8::9",)),
    Form(b"<166>Apr 15 2013 09:36:50 5508_9.12(3): ", (b"5508_9.12(3)",), APRIL),
    Form(b"<164>Apr 15 2013 09:36:50 fw1/ctx : ", (b"fw1/ctx", b"fw1", b"ctx"), APRIL, leads=True),
    # EMBLEM, and the clock: marks, the year's place, fractions.
    Form(b"<34>:Apr 15 09:36:50 UTC: ", at=APRIL, zone=b"UTC"),
    Form(b"<111>:Apr 15 09:36:50 MSK 192.0.2.9: ", (b"192.0.2.9",), "2013-04-15T09:36:50+03:00", b"MSK"),
    Form(b"<166>:2013 Apr 15 09:36:50 UTC 1f3e-9a : ", (b"1f3e-9a",), APRIL, b"UTC"),
    Form(b"<166>*Nov 30 2026 05:54:08: ", at=NOVEMBER),
    Form(b"<166>.Nov 30 2026 05:54:08 fw1 : ", (b"fw1",), NOVEMBER),
    Form(b"<166>2026 Nov 30 05:54:08: ", at=NOVEMBER),
    Form(b"<166>Nov 30 05:54:08 2026 fw1 : ", (b"fw1",), NOVEMBER),
    Form(b"<166>Mon Nov 30 05:54:08 2026: ", at=NOVEMBER),
    Form(b"<166>2026-11-30T05:54:08+0200 fw1 : ", (b"fw1",), "2026-11-30T05:54:08+02:00"),
    Form(b"<166>2026-11-30T05:54:08.123456789Z fw1 : ", (b"fw1",), "2026-11-30T05:54:08.123456+00:00", leads=True),
    Form(b"<164>112233: Jul 12 2026 08:11:50.123 UTC: ", at="2026-07-12T08:11:50.123+00:00", zone=b"UTC",
         sequence=112233, doubtful=(b"112233",)),
    Form(b"<166>3132517: fw1: 7: Apr 15 2013 09:36:50 UTC: ", (b"fw1",), APRIL, b"UTC", 7, (b"3132517", b"7")),
    # Zones: `clock timezone` takes any word.
    Form(b"<156>:Mar 19 2018 15:12:23 MSK/MSD: ", zone=b"MSK/MSD", doubtful=(b"MSK/MSD",)),
    Form(b"<166>Nov 30 2026 05:54:08 XYZ: ", zone=b"XYZ", doubtful=(b"XYZ",)),
    Form(b"<166>Nov 30 2026 05:54:08 Moscow: ", zone=b"Moscow", doubtful=(b"Moscow",)),
    Form(b"<166>Nov 30 2026 05:54:08 Europe/Berlin fw1 : ", (b"fw1",), None, b"Europe/Berlin",
         doubtful=(b"Europe/Berlin",)),
    Form(b"<166>Nov 30 2026 05:54:08 XYZ fw1 : ", (b"fw1",), None, b"XYZ", doubtful=(b"XYZ",)),
    Form(b"<166>Nov 30 2026 05:54:08 MSK : ", (), "2026-11-30T05:54:08+03:00", b"MSK", doubtful=(b"MSK",)),
    Form(b"<166>Nov 30 2026 05:54:08 MSK/MSD : ", (), None, b"MSK/MSD", doubtful=(b"MSK/MSD",)),
    Form(b"<166>Nov 30 2026 05:54:08 XYZ : ", (b"XYZ",), NOVEMBER, leads=True),
    Form(b"<166>Nov 30 2026 05:54:08 -03: ", at="2026-11-30T05:54:08-03:00", zone=b"-03"),
    Form(b"<166>Nov 30 2026 05:54:08 +0530 fw1 : ", (b"fw1",), "2026-11-30T05:54:08+05:30", b"+0530"),
    Form(b"<166>Nov 30 2026 05:54:08 GMT+01:00: ", at="2026-11-30T05:54:08+01:00", zone=b"GMT+01:00"),
    Form(b"<166>Nov 30 2026 05:54:08 CEST: ", at="2026-11-30T05:54:08+02:00", zone=b"CEST"),
    Form(b"<166>Nov 30 2026 05:54:08 berlin: ", zone=b"berlin", doubtful=(b"berlin",)),
    Form(b"<166>:Nov 30 05:54:08 xyz: ", zone=b"xyz", doubtful=(b"xyz",)),
    Form(b"<166>Nov 30 2026 05:54:08 berlin fw1 : ", (b"fw1",), None, b"berlin", doubtful=(b"berlin",)),
    Form(b"<166>Nov 30 2026 05:54:08 Zone-7_a fw1 : ", (b"fw1",), None, b"Zone-7_a", doubtful=(b"Zone-7_a",)),
    Form(b"<166>Apr 15 09:36:51 192.0.2.9 Nov 30 2026 05:54:08 xyz: ", (b"192.0.2.9",), None, b"xyz",
         doubtful=(b"xyz",), leads=True),
    Form(b"<166>Apr 15 09:36:50 FW: ", (b"FW",), APRIL),
    Form(b"<166>Apr 15 2013 09:36:50 EDGE : ", (b"EDGE",), APRIL, leads=True),
    Form(b"<166>Apr 15 2013 09:36:50 EDGE CiscoASA[999]: ", (b"EDGE",), APRIL, leads=True),
    # Relays: RFC 3164, and what is made of it.
    Form(b"<166>Apr 15 09:36:50 192.0.2.9 ", (b"192.0.2.9",), APRIL, leads=True),
    Form(b"<166>Apr 15 09:36:50 192.0.2.9 : ", (b"192.0.2.9",), APRIL, leads=True),
    Form(b"<166>Apr 15 09:36:50 [192.0.2.9] ", (b"192.0.2.9",), APRIL),
    Form(b"<166>Apr 15 09:36:50 192.0.2.9:41234 ", (b"192.0.2.9",), APRIL),
    Form(b"<166>Apr 15 09:36:50 [2001:db8::9]:514 ", (b"2001:db8::9",), APRIL),
    Form(b"<166>Apr 15 09:36:50 ::ffff:192.0.2.9 ", (b"192.0.2.9",), APRIL),
    Form(b"<166>Apr 15 09:36:50 ::ffff:c000:209 ", (b"192.0.2.9",), APRIL),
    Form(b"<166>Apr 15 09:36:50 0:0:0:0:0:FFFF:192.0.2.9 ", (b"192.0.2.9",), APRIL),
    Form(b"<166>Apr 15 09:36:50 [::ffff:192.0.2.9]:514 ", (b"192.0.2.9",), APRIL),
    Form(b"<166>Apr 15 09:36:50 (192.0.2.9) ", (b"192.0.2.9",), APRIL),
    Form(b"<166>Apr 15 09:36:50 192.0.2.9, ", (b"192.0.2.9",), APRIL),
    Form(b"<166>Apr 15 09:36:50 192.0.2.9/514 ", (b"192.0.2.9",), APRIL),
    Form(b"<166>Apr 15 09:36:50 192.0.2.9#514 ", (b"192.0.2.9",), APRIL),
    Form(b"<166>Apr 15 09:36:50 ::1 ", (b"::1",), APRIL, leads=True),
    Form(b"<166>Apr 15 09:36:50 2001:db8:: : ", (b"2001:db8::",), APRIL, leads=True),
    Form(b"<166>Apr 15 09:36:50 fw1.example.net:514 ", (b"fw1.example.net",), APRIL),
    Form(b"Apr 15 09:36:50 192.0.2.9 ", (b"192.0.2.9",), APRIL, leads=True),
    Form(b"Apr 15 2013 09:36:50 relay CiscoASA[999]: ", (b"relay",), APRIL, leads=True),
    Form(b"2013-04-15T11:36:50+02:00 fw1 ", (b"fw1",), APRIL, leads=True),
    Form(b"2013-04-15 09:36:50\tLocal4.Info\t192.0.2.9\t", (b"192.0.2.9",), APRIL),
    Form(b"192.0.2.9:514 : local4.error Apr 15 2013 09:36:50: ", (b"192.0.2.9",), APRIL),
    Form(b"LOCAL4.WARNING: fw1 ", (b"fw1",)),
    Form(b"<164>Original Address=192.0.2.9 Apr 15 2013 09:36:50: ", (b"192.0.2.9",), APRIL),
    Form(b"<164>Original Address=192.0.2.9 Apr 15 2013 09:36:50 fw1 : ", (b"fw1", b"192.0.2.9"), APRIL),
    Form(b"<164>Apr 15 09:36:51 192.0.2.9:41234 Apr 15 2013 09:36:50: ", (b"192.0.2.9",), APRIL),
    Form(b"<166>Apr 15 09:36:51 relay Apr 15 2013 09:36:50 fw-7 : ", (b"fw-7", b"relay"), APRIL),
    Form(b"<166>Apr 15 09:36:50 fw.example.net : Apr 15 11:36:50 CEST: ", (b"fw.example.net",), APRIL, b"CEST",
         leads=True),
    Form(b"<166>Apr 15 2013 09:36:51 RELAY Apr 15 2013 09:36:50 fw-7 : ", (b"fw-7", b"RELAY"), APRIL),
    Form(b"<13>Apr 15 09:36:52 outer Apr 15 09:36:51 inner Apr 15 2013 09:36:50 fw1 : ",
         (b"fw1", b"inner", b"outer"), APRIL),
    Form(b"Apr 15 09:36:51 192.0.2.9 <166>Apr 15 2013 09:36:50 fw1 : ", (b"fw1", b"192.0.2.9"), APRIL),
    Form(b"Apr 15 09:36:50 192.0.2.9 <166>", (b"192.0.2.9",), APRIL, leads=True),
    Form(b"87 <166>Apr 15 2013 09:36:50 fw1 : ", (b"fw1",), APRIL),
    Form(b"<166>Apr 15 09:36:50 fw1/192.0.2.1 ", (b"fw1", b"192.0.2.1"), APRIL),
    Form(b"<166>Apr 15 09:36:50 s_net@fw1/relay.example.net ", (b"fw1", b"relay.example.net"), APRIL),
    Form(b"<4>[12345.678901] Apr 15 2013 09:36:50 fw1 : ", (b"fw1",), APRIL),
    # What is broken in front, and stamps in forms that nobody reads: no piece of them is a name.
    Form(b"<1666>Apr 15 2013 09:36:50 fw1 : ", (b"fw1",), APRIL),
    Form(b"<>Apr 15 2013 09:36:50 fw1 : ", (b"fw1",), APRIL),
    Form(b"\r\n\0<166>Apr 15 2013 09:36:50 fw1 : ", (b"fw1",), APRIL),
    Form(b"<166>30 Nov 2026 05:54:08 fw1 : ", (b"fw1",), sequence=2026, doubtful=(b"30", b"Nov", b"2026")),
    Form(b"<166>11/30/2026 5:54:08 fw1 : ", (b"fw1",)),
    Form(b"<166>30.11.2026 05:54:08.123 fw1 : ", (b"fw1",)),
    Form(b"<166>1701324848.123 fw1 : ", (b"fw1",)),
    # RFC 5424.
    Form(b"<166>1 2013-04-15T09:36:50.125Z fw1 asa 71 ID47 - ", (b"fw1",), "2013-04-15T09:36:50.125+00:00", leads=True),
    Form(b"<166>1 2013-04-15T09:36:50Z fw-7 - - - - ", (b"fw-7",), APRIL, leads=True),
    Form(b"<166>1 2013-04-15T09:36:50Z fw-7 - - - - " + BOM, (b"fw-7",), APRIL, leads=True),
    Form(b"<166>1 2013-04-15T09:36:50Z 192.0.2.9 ", (b"192.0.2.9",), APRIL, leads=True),
    Form(b"<166>1 - fw1 - - - - ", (b"fw1",), leads=True),
    Form(b"<166>1 2013-04-15T09:36:50Z - - - - - ", (), APRIL),
    Form(b"1 2013-04-15T09:36:50Z fw1 - - - - ", (b"fw1",), APRIL, leads=True),
    Form(b'<166>1 2013-04-15T09:36:51Z relay asa 7 - [meta sequenceId="29" x="a \\" b ] c"][o@1 ip="192.0.2.1"] '
         + BOM + b"Apr 15 2013 09:36:50 fw1 : ", (b"fw1", b"relay"), APRIL),
    Form(b"<166>1 2013-04-15T09:36:51Z relay - - - - <166>Apr 15 2013 09:36:50: ", (b"relay",), APRIL, leads=True),
    Form(b"<13>1 2013-04-15T09:36:52Z outer - - - - <166>1 2013-04-15T09:36:50Z fw1 - - - - ",
         (b"fw1", b"outer"), APRIL),
    # A relay that took the PRI off, and put the rest behind a header of its own.
    Form(b"<13>1 2013-04-15T09:36:51Z relay - - - - 1 2013-04-15T09:36:50Z fw1 - - - - ", (b"fw1", b"relay"), APRIL),
    Form(b"<13>Apr 15 09:36:51 relay 1 2013-04-15T09:36:50Z fw1 asa - - - ", (b"fw1", b"relay"), APRIL),
    # What rsyslog and syslog-ng made of stamps that they did not know.
    Form(b"<166>Apr 15 09:36:50 192.0.2.9 2026-11-30T05: 54:08Z: ", (b"192.0.2.9",), APRIL, leads=True),
    Form(b"<166>1 2013-04-15T09:36:50Z 192.0.2.9 2026-11-30T05 - - - 54:08Z: ", (b"192.0.2.9",), APRIL, leads=True),
    Form(b"<166>1 2013-04-15T09:36:50Z 192.0.2.9 CEST - - -  ", (b"192.0.2.9",), APRIL, leads=True),
    Form(b"<166>1 2013-04-15T09:36:51Z 192.0.2.9 - - - - Apr 15 09:36:50 UTC: ", (b"192.0.2.9",), APRIL, b"UTC", leads=True),
    Form(b"<166>1 2013-04-15T09:36:50Z 192.0.2.9 fw1 - - - : ", (b"192.0.2.9",), APRIL, leads=True),
    Form(b"<166>Apr 15 09:36:51 192.0.2.9 : Apr 15 09:36:50 UTC: ", (b"192.0.2.9",), APRIL, b"UTC", leads=True),
    Form(b"<166>Apr 15 09:36:51 192.0.2.9 fw1 : ", (b"192.0.2.9", b"fw1"), "2013-04-15T09:36:51+00:00", leads=True),
    Form(b"<166>Apr 15 09:36:50 192.0.2.9 CEST: ", (b"192.0.2.9",), APRIL, leads=True),
    # A relay that joins equal messages (the count is in a test of its own).
    Form(b"<164>Apr 15 09:36:50 fw1 : message repeated 3 times: [ ", (b"fw1",), APRIL, leads=True),
    Form(b"<164>message repeated 3 times: [ "),
]  # fmt: skip
