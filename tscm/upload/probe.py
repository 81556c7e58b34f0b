"""
A question that stores nothing: does the receiver of uploads answer, and does it know the device?  Blocking.
"""

from attrs import frozen

from tscm import upload_format
from tscm.upload.failure import UploadFailed
from tscm.upload.receiver import LogServiceReceiver
from tscm.upload.receivers import AnyReceiver
from tscm.upload.s3 import S3Receiver


@frozen(kw_only=True)
class ServiceAnswer:
    """
    What a log service or store said: a *status* with a *sentence*, or why there was none (*fault*).

    *ready* says that it knows us and would have taken a batch.
    """

    status: int = 0
    sentence: str = ""
    fault: str | None = None
    remedy: str = ""
    ready: bool = False


def ask_service(receiver: AnyReceiver) -> ServiceAnswer:
    """The answer; its bound is that of one exchange (`Way.bound`)."""
    try:
        if isinstance(receiver, S3Receiver):
            return _ask_store(receiver)
        return _ask_log_service(receiver)
    except UploadFailed as fault:
        return ServiceAnswer(fault=fault.cause, remedy=fault.remedy)


def _ask_log_service(receiver: LogServiceReceiver) -> ServiceAnswer:
    """An upload without a batch: who is known is told that its headers do not fit (400)."""
    account = upload_format.basic_credentials(receiver.device_id, receiver.device_key.reveal())
    headers = {upload_format.AUTHORIZATION: account}
    url = receiver.way.url + upload_format.PATH
    with receiver.way.client() as client:
        reply = receiver.way.exchange(client, "POST", url, headers)
    sentence = upload_format.read_answer(reply.status, reply.body, "").sentence
    if reply.status in {401, 403}:
        remedy = receiver.account_remedy
    elif reply.status >= 500:
        remedy = "see the log of the log service"
    else:
        remedy = "the server is not a log service; check [upload] url and the proxy"
    return ServiceAnswer(
        status=reply.status, sentence=sentence, remedy=remedy, ready=reply.status in {400, 422}
    )


def _ask_store(receiver: S3Receiver) -> ServiceAnswer:
    """HEAD of the bucket, unsigned: whether our keys may write is shown by an upload alone."""
    receiver.keys()
    url = f"{receiver.way.url.rstrip('/')}/{receiver.bucket}"
    with receiver.way.client() as client:
        reply = receiver.way.exchange(client, "HEAD", url, {})
    return ServiceAnswer(
        status=reply.status,
        sentence=f"bucket {receiver.bucket}",
        remedy=f"create bucket {receiver.bucket}, or set another",
        ready=reply.status in {200, 204, 301, 307, 403},
    )
