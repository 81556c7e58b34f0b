"""
Operations on alarms.
"""

from tscm.alarms.answers import AlarmsStanding, LoginsNoted, MessageTested, MuteTold
from tscm.operations.arguments import AlarmNamed, Channel, LoginsFailed, Muting, Nothing
from tscm.operations.operation import Needs, Operation

ALARMS: Operation[Nothing, AlarmsStanding] = Operation(
    answer=AlarmsStanding,
    name="alarms",
    room="alarms",
    verb="GET",
    path="/v1/alarms",
    args=Nothing,
    needs=Needs.MANAGER,
    noun="the list of alarms",
)
"""Open and recent alarms, what is muted, and how the channels stand."""

MUTE_ALARM: Operation[Muting, MuteTold] = Operation(
    answer=MuteTold,
    name="mute_alarm",
    room="alarms",
    verb="POST",
    path="/v1/alarms/mute",
    args=Muting,
    needs=Needs.MANAGER,
    noun="muting an alarm",
    long=True,
    changes=True,
)
"""Send nothing about alarms of a name until a time."""

UNMUTE_ALARM: Operation[AlarmNamed, MuteTold] = Operation(
    answer=MuteTold,
    name="unmute_alarm",
    room="alarms",
    verb="POST",
    path="/v1/alarms/unmute",
    args=AlarmNamed,
    needs=Needs.MANAGER,
    noun="unmuting an alarm",
    long=True,
    changes=True,
)
"""Send again what is muted."""

TEST_ALARM: Operation[Channel, MessageTested] = Operation(
    answer=MessageTested,
    name="test_alarm",
    room="alarms",
    verb="POST",
    path="/v1/alarms/test",
    args=Channel,
    needs=Needs.MANAGER,
    noun="a test of a channel",
    long=True,
    changes=True,
)
"""Send a test message on a channel now: `{channel, answer}`."""

NOTE_LOGINS: Operation[LoginsFailed, LoginsNoted] = Operation(
    answer=LoginsNoted,
    name="note_logins",
    room="alarms",
    verb="POST",
    path="/v1/alarms/logins",
    args=LoginsFailed,
    needs=Needs.MANAGER,
    noun="a note of failed logins",
)
"""The page tells how many logins failed, for the rule `login_failures`: `{count}` since the manager's start."""
