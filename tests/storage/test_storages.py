"""What is asked of every storage, by one set of tests; and what a bucket says that does not do it."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline.errors import InputError, StorageLost
from pipeline.storage import objects
from pipeline.storage.storage import Storage, check, opened
from tests import s3

LEAKS = (
    b"<Error><Code>InvalidAccessKeyId</Code><Message>no such key</Message><AWSAccessKeyId>AKIASECRET</AWSAccessKeyId>"
    b"</Error>"
)


@pytest.fixture(scope="module")
def bucket() -> Iterator[s3.S3]:
    with s3.running() as server:
        yield server


@pytest.fixture(params=["posix", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "posix":
        return opened(f"file://{tmp_path}/a folder")
    server: s3.S3 = request.getfixturevalue("bucket")
    return opened(f"{server.url}/{tmp_path.name}", 5)


def test_what_was_put_is_there_until_it_is_deleted(storage: Storage) -> None:
    storage.put("a/b.pt", b"one")
    storage.put("a/b.pt", b"two")
    assert storage.get("a/b.pt") == b"two"
    storage.delete("a/b.pt")
    storage.delete("a/b.pt")
    assert storage.names("a") == []
    with pytest.raises(FileNotFoundError):
        storage.get("a/b.pt")


def test_what_is_large_is_there_whole(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "PIECE", 1000)
    content = bytes(range(256)) * 16
    for part in (content, content[:2000], content[:1000], b""):
        assert storage.put_if_absent(f"large/{len(part)}", part)
        storage.put("large/again", part)
        assert storage.get(f"large/{len(part)}") == storage.get("large/again") == part


def test_names_are_in_order_and_of_one_folder(storage: Storage) -> None:
    for name in ("run/2", "run/10/x", "runs/1", "run/1", "other"):
        storage.put(name, b"")
    assert storage.names("run") == ["run/1", "run/10/x", "run/2"]
    assert storage.names("run", after="run/1") == ["run/10/x", "run/2"]
    assert storage.names("nothing") == []
    assert storage.names("") == ["other", "run/1", "run/10/x", "run/2", "runs/1"]


def test_what_is_there_is_not_written_over(storage: Storage) -> None:
    assert storage.put_if_absent("n", b"one")
    assert storage.put_if_absent("n", b"one"), "the same again, as of one whose answer was lost"
    assert not storage.put_if_absent("n", b"two")
    assert storage.get("n") == b"one"


def test_of_many_at_once_one_puts_it(storage: Storage) -> None:
    wanted = [str(number).encode() for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda content: storage.put_if_absent("segment", content), wanted))
    assert [content for content, mine in zip(wanted, done, strict=True) if mine] == [storage.get("segment")]


def test_a_bucket_that_is_not_there_is_one_line(bucket: s3.S3) -> None:
    there = opened("s3://nobody/x", 5)
    for call in (lambda: there.put("a", b""), lambda: there.put_if_absent("a", b""), lambda: there.names("a")):
        with pytest.raises(StorageLost, match=r"^the storage s3://nobody/x fails: there is no such bucket[^\n]*$"):
            call()


def test_credentials_are_never_said(bucket: s3.S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket, "failing", "403 Forbidden")
    monkeypatch.setattr(bucket, "body", LEAKS)
    with pytest.raises(StorageLost) as caught:
        opened(bucket.url, 5).put("a", b"")
    assert str(caught.value) == f"the storage {bucket.url} fails: InvalidAccessKeyId (403)"
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        ("301 Moved Permanently", b"<Error><Code>PermanentRedirect</Code></Error>"),
        ("400 Bad Request", b"<Error><Code>AuthorizationHeaderMalformed</Code></Error>"),
    ],
)
def test_another_region_is_named_at_once(
    bucket: s3.S3, monkeypatch: pytest.MonkeyPatch, answer: str, body: bytes
) -> None:
    there, before = opened(bucket.url), bucket.refused
    monkeypatch.setattr(bucket, "failing", answer)
    monkeypatch.setattr(bucket, "body", body)
    for call in (lambda: there.put("a", b""), lambda: there.get("a"), lambda: there.names("a")):
        with pytest.raises(StorageLost, match=r"the bucket is in another region; valid: AWS_REGION in the environment"):
            call()
    assert bucket.refused == before + 3


@pytest.mark.parametrize(
    ("url", "name", "value", "said"),
    [
        ("gs://bucket/x", "GOOGLE_SERVICE_ACCOUNT", "/nowhere/secret.json", "the key of its service account cannot"),
        ("gs://bucket/x", "GOOGLE_SERVICE_ACCOUNT_KEY", "secret", "the key of its service account cannot be read"),
        ("s3://bucket/x", "AWS_SKIP_SIGNATURE", "secret", "what the environment says of it will not do"),
        ("s3://bucket/x", "AWS_ENDPOINT_URL", "secret:9000", "AWS_ENDPOINT_URL is no address; valid: http://HOST:PORT"),
        ("s3://bucket/x", "AWS_ENDPOINT_URL", "http://secret:90x0", "AWS_ENDPOINT_URL is no address; valid: http:"),
        ("s3://bucket/x", "AWS_REGION", "eu west 1", "AWS_REGION is no region; valid: such as eu-west-1"),
    ],
)
def test_what_is_set_wrong_is_not_tried_again(
    monkeypatch: pytest.MonkeyPatch, url: str, name: str, value: str, said: str
) -> None:
    for endpoint in objects.ENDPOINTS:
        monkeypatch.delenv(endpoint, raising=False)
    monkeypatch.setenv(name, value)
    with pytest.raises(StorageLost, match=re.escape(f"the storage {url} fails: {said}")) as caught:
        opened(url, 10_000)
    assert "secret" not in str(caught.value)


def test_a_scheme_in_capitals_is_the_same_storage(bucket: s3.S3) -> None:
    assert check("S3://bucket/team/") == bucket.url
    opened("S3://bucket/team").put("capitals", b"one")
    assert opened(bucket.url).get("capitals") == b"one"


def test_a_server_that_fails_is_asked_again(bucket: s3.S3, monkeypatch: pytest.MonkeyPatch) -> None:
    there = opened(f"{bucket.url}/failing", 60)
    monkeypatch.setattr(bucket, "failing", "500 Internal Server Error")
    before = bucket.refused
    with ThreadPoolExecutor(1) as pool:
        put = pool.submit(there.put_if_absent, "a", b"one")
        while bucket.refused < before + 3:
            assert not put.done()
        bucket.failing = ""
        assert put.result(60)
    assert there.get("a") == b"one"


@pytest.mark.parametrize("there", [None, b"one", b"two"])
def test_what_several_write_at_once_is_put_again(bucket: s3.S3, tmp_path: Path, there: bytes | None) -> None:
    storage = opened(f"{bucket.url}/{tmp_path.name}", 60)
    if there is not None:
        storage.put("n", there)
    bucket.busy = 3
    assert storage.put_if_absent("n", b"one") == (there != b"two")
    assert storage.get("n") == (there or b"one")
    bucket.busy = 3
    storage.put("n", b"three")
    assert (bucket.busy, storage.get("n")) == (0, b"three")


def test_where_it_is_always_written_by_others_patience_ends(bucket: s3.S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket, "busy", 10**6)
    there = opened(f"{bucket.url}/busy", 0.5)
    for call in (lambda: there.put("a", b""), lambda: there.put_if_absent("a", b"")):
        with pytest.raises(StorageLost, match=r"fails: several write there at once \(409\)$"):
            call()


def test_where_nobody_answers_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with pytest.raises(StorageLost, match=r"it cannot be reached$"):
        opened("s3://bucket/x", 0.5).get("a")


@pytest.mark.parametrize(
    "url",
    [
        "s3://key:secret@bucket/x",
        "s3://bucket/x?AWSAccessKeyId=secret",
        "s3://bucket@secret/x",
        "s3://key:secret[@bucket/x",
    ],
)
def test_a_url_with_credentials_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InputError, match="valid: without them") as caught:
        check(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/x",
        "s3:///x",
        "file://x/y",
        "file:///",
        "s3://",
        "s3://[x/y",
        "s3://bucket:9000/x",
        "s3://a bucket/x",
    ],
)
def test_what_is_no_storage_is_refused(url: str) -> None:
    with pytest.raises(InputError, match=r'^--storage: found "'):
        check(url)
