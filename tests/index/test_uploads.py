"""The form and the file name of an upload: what is taken, and what is refused with which words."""

from __future__ import annotations

import io
import re
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version
from support.uploading import received

from pypihub.errors import UploadRefusedError, UploadTooLargeError
from pypihub.index.model import Asset, Listing, Release, project_of
from pypihub.index.names import normalize_project
from pypihub.index.uploads import Companion, Received, Upload, read_upload
from pypihub.sandbox.names import stored_name

WHEEL = "my_pkg-1.0-py3-none-any.whl"
SIGNATURE = b"-----BEGIN PGP SIGNATURE-----\n\niQEz\n=abcd\n-----END PGP SIGNATURE-----\n"
ATTESTATIONS = '[{"version": 1, "envelope": {"statement": "e30="}}]'


def shown(*filenames: str) -> list[str]:
    """The files of my-pkg that an index shows of these assets."""
    now = datetime.now(UTC)
    assets = tuple(Asset(id="", name=name, size=1, digest=None, created_at=now) for name in filenames)
    listing = Listing("o/r", is_archived=False, releases=(Release("", False, now, assets),))
    return [file.filename for file in project_of(listing, normalize_project("my-pkg")).files]


def refusal(upload: Received) -> str:
    """The message for what is refused: one line, that is the error's text as it is."""
    with pytest.raises(UploadRefusedError) as caught:
        read_upload(upload)
    assert caught.value.message == " ".join(str(caught.value).split())
    return caught.value.message


def test_an_upload_tells_what_is_to_be_published() -> None:
    upload = read_upload(received(WHEEL, b"bytes", name="My.Pkg", requires_python=">=3.9"))
    assert upload == Upload(
        name=normalize_project("my-pkg"),
        version=Version("1.0"),
        filename=WHEEL,
        is_wheel=True,
        size=5,
        sha256="277089d91c0bdf4f2e6862ba7e4a07605119431f5d13f726dd352b06f1b206a9",
        requires_python=">=3.9",
    )


@pytest.mark.parametrize(
    ("filename", "fields"),
    [
        ("my_pkg-1.0.tar.gz", {}),
        ("My.Pkg-1.0.zip", {}),
        ("my-pkg-1.0-1.tar.gz", {"name": "my-pkg", "version": "1.0.post1"}),
        ("my_pkg-1.0+cu121-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", {}),
        ("my_pkg-1.0-1build-py3-none-any.whl", {"version": "1.0.0"}),
        ("my_pkg-1.0rc1.tar.gz", {"version": "1.0-RC.1"}),
        (WHEEL, {"protocol_version": None, "metadata_version": None, "sha256_digest": None}),
        (WHEEL, {"metadata_version": "", "requires_python": "", "gpg_signature": "", "attestations": " "}),
        (WHEEL, {"name": " my-pkg ", "version": "v1.0\n"}),
        (WHEEL, {"md5_digest": "rL0Y20zC+Fzt72VPzMSk2A", "blake2_256_digest": "?", "license": ("MIT", "BSD")}),
    ],
)
def test_what_clients_send_is_taken(filename: str, fields: dict[str, str]) -> None:
    upload = read_upload(received(filename, **fields))
    assert shown(upload.filename) == [filename]


def test_a_digest_may_be_spelled_in_capitals() -> None:
    sent = received(WHEEL)
    assert read_upload(received(WHEEL, sha256_digest=sent.sha256.upper())).sha256 == sent.sha256


FORMS = {
    "no action": ({"action": None}, ":action is missing: send file_upload"),
    "another action": ({"action": "submit"}, "only file_upload"),
    "another protocol": ({"protocol_version": "2"}, "protocol_version is '2': only 1"),
    "no filetype": ({"filetype": None}, "filetype is missing: send sdist or bdist_wheel"),
    "an egg": ({"filetype": "bdist_egg"}, "'bdist_egg' are not taken.*build a wheel"),
    "an installer": ({"filetype": "bdist_wininst"}, "'bdist_wininst' are not taken.*build a wheel"),
    "another type": ({"filetype": "sdist"}, "is no sdist: send the filetype"),
    "no name": ({"name": None}, "name is missing"),
    "a name of no project": ({"name": "my pkg"}, "'my pkg' is not valid"),
    "a name of several lines": ({"name": "my\npkg"}, "'my pkg' is not valid"),
    "a long name": ({"name": "x" * 10**6}, "'xxx+…' is not valid"),
    "another name": ({"name": "other"}, f"{WHEEL} is not one of the form's name other.*like other-1.0-….whl"),
    "no version": ({"version": ""}, "version is missing"),
    "a version of no release": ({"version": "one"}, "'one' is not valid.*PEP 440"),
    "a long version": ({"version": "1" + ".0" * 10**5}, "is not valid"),
    "a version of many digits": ({"version": "1" * 10**6}, "is not valid"),
    "another version": ({"version": "1.1"}, "name my-pkg and version 1.1: .* like my_pkg-1.1-….whl"),
    "a local version": ({"version": "1.0+x"}, "version 1.0\\+x"),
    "no metadata version": ({"metadata_version": "latest"}, "metadata_version 'latest'.*like 2.1"),
    "another digest": ({"sha256_digest": "0" * 64}, "is not the form's sha256_digest: upload it again"),
    "no digest": ({"sha256_digest": "x" * 64}, "64 hexadecimal digits"),
    "a short digest": ({"sha256_digest": "0" * 63}, "64 hexadecimal digits"),
    "two names": ({"name": ("my-pkg", "my-pkg")}, "name is given 2 times"),
    "two actions": ({"action": ("file_upload", "")}, ":action is given 2 times"),
    "two digests": ({"sha256_digest": ("", "")}, "sha256_digest is given 2 times"),
    "two Pythons": ({"requires_python": (">=3", ">=2")}, "requires_python is given 2 times"),
    "a signature as a text": ({"gpg_signature": "x"}, "gpg_signature is no file"),
    "attestations twice": ({"attestations": (ATTESTATIONS, ATTESTATIONS)}, "attestations is given 2 times"),
    "no attestations": ({"attestations": "[]"}, "no JSON list of objects"),
    "one attestation": ({"attestations": "{}"}, "no JSON list of objects"),
    "attestations that are numbers": ({"attestations": "[1]"}, "no JSON list of objects"),
    "attestations cut off": ({"attestations": ATTESTATIONS[:-1]}, "no JSON list of objects"),
    "deep attestations": ({"attestations": '[{"a":' + "[" * 10**5 + "]" * 10**5 + "}]"}, "no JSON list of objects"),
    "long attestations": ({"attestations": '[{"a":"' + "x" * 2**20 + '"}]'}, "up to 1 MiB"),
    "attestations of no text": ({"attestations": '[{"a":"\ud800"}]'}, "no JSON list of objects"),
}


@pytest.mark.parametrize(("fields", "words"), FORMS.values(), ids=FORMS)
def test_a_form_that_does_not_fit_is_refused(fields: dict[str, str], words: str) -> None:
    message = refusal(received(WHEEL, **fields))
    assert re.search(words, message)
    assert len(message) < 300


FILENAMES = {
    "none": ("", "has no file"),
    "too long": (f"my_pkg-1.0-{'x' * 240}-none-any.whl", "too long"),
    "a path": (f"dist/{WHEEL}", "is a path"),
    "a Windows path": (f"C:\\dist\\{WHEEL}", "is a path"),
    "an egg": ("my_pkg-1.0-py3.11.egg", "only .whl, .tar.gz and .zip"),
    "an installer": ("my_pkg-1.0.exe", "only .whl, .tar.gz and .zip"),
    "bzip2": ("my_pkg-1.0.tar.bz2", "only .whl, .tar.gz and .zip"),
    "capitals": ("my_pkg-1.0.TAR.GZ", "only .whl, .tar.gz and .zip"),
    "an epoch": ("my_pkg-1!1.0.tar.gz", "has an epoch, and GitHub changes the !"),
    "a space": ("my_pkg-1.0 .tar.gz", "GitHub would change"),
    "a tilde": ("my_pkg-1.0~1.tar.gz", "GitHub would change"),
    "parentheses": ("my_pkg-1.0(1).zip", "GitHub would change"),
    "two dots": ("my..pkg-1.0.zip", "GitHub would change"),
    "a dot in front": (".my_pkg-1.0.zip", "GitHub would change"),
    "an accent": ("my_pké-1.0.zip", "GitHub would change"),
    "a line feed": ("my_pkg-1.0\n.zip", "GitHub would change"),
    "no wheel's name": ("my_pkg-1.0.whl", "not one of the form's name"),
    "no version": ("my_pkg.zip", "not one of the form's name"),
    "another project's": ("my_pkg_extra-1.0.zip", "not one of the form's name"),
    "too many tags": (f"my_pkg-1.0-{'.'.join('a' * 40)}-{'.'.join('a' * 40)}-any.whl", "not one of the form's name"),
}


@pytest.mark.parametrize(("filename", "words"), FILENAMES.values(), ids=FILENAMES)
def test_a_file_name_that_could_not_be_published_is_refused(filename: str, words: str) -> None:
    assert re.search(words, refusal(received(filename, name="my-pkg", version="1.0")))


def test_an_empty_file_is_refused() -> None:
    assert "is empty" in refusal(received(WHEEL, b""))


@pytest.mark.parametrize(("size", "is_too_large"), [(2**31 - 1, False), (2**31, True)])
def test_a_file_that_github_does_not_take_is_too_large(size: int, is_too_large: bool) -> None:
    sent = received(WHEEL)
    upload = Received(sent.fields, WHEEL, io.BytesIO(), size, sent.sha256)
    if is_too_large:
        with pytest.raises(UploadTooLargeError, match="below 2 GiB"):
            read_upload(upload)
    else:
        assert read_upload(upload).size == size


def test_a_signature_and_attestations_are_assets_beside_the_file_that_no_index_shows() -> None:
    companion = Companion("gpg_signature", f"{WHEEL}.asc", SIGNATURE)
    upload = read_upload(received(WHEEL, b"x", companion, attestations=ATTESTATIONS))
    assert upload.companions == (
        (f"{WHEEL}.asc", SIGNATURE),
        (f"{WHEEL}.publish.attestation", ATTESTATIONS.encode()),
    )
    names = [name for name, _ in upload.companions]
    assert shown(WHEEL, *names) == [WHEEL]
    assert [stored_name(name) for name in names] == names


@pytest.mark.parametrize(
    ("companions", "words"),
    [
        ((Companion("gpg_signature", "x.asc", b"binary"),), "no armored signature"),
        ((Companion("gpg_signature", "x.asc", b""),), "no armored signature"),
        ((Companion("gpg_signature", "x.asc", SIGNATURE[:-10]),), "no armored signature"),
        ((Companion("gpg_signature", "x.asc", SIGNATURE + b"\n" * 2**16),), "no armored signature"),
        ((Companion("gpg_signature", "x.asc", SIGNATURE),) * 2, "more than one"),
        ((Companion("attestations", "x.json", ATTESTATIONS.encode()),), "'attestations' is not known"),
        ((Companion("content", WHEEL, b"x"),), "'content' is not known"),
        ((Companion("sbom", "x.json", b"{}"),), "'sbom' is not known"),
    ],
)
def test_other_parts_are_refused_and_never_dropped(companions: tuple[Companion, ...], words: str) -> None:
    assert words in refusal(received(WHEEL, b"x", *companions))


def test_a_name_that_leaves_no_room_for_its_signature_is_refused() -> None:
    filename = f"my_pkg-1.0-{'x' * 230}-none-any.whl"
    assert read_upload(received(filename)).filename == filename
    companion = Companion("gpg_signature", "x.asc", SIGNATURE)
    assert "too long for one with .asc" in refusal(received(filename, b"x", companion))


_PIECES = st.sampled_from(
    ["my_pkg", "my-pkg", "My.Pkg", "1.0", "1!1.0", "1.0+x", "v1", "py3", "none", "any", "py2.py3", "1build", "", " ",
     "..", ".", "~1", "é", "ﬁ", "\u0661", "@", "(1)"]
)  # fmt: skip


@given(st.lists(_PIECES, max_size=6).map("-".join), st.sampled_from([".whl", ".tar.gz", ".zip", "", ".asc"]))
def test_what_is_taken_is_kept_by_github_and_shown_by_the_index(stem: str, suffix: str) -> None:
    filename = stem + suffix
    for version in ("1.0", "1.0+x", "1!1.0"):
        try:
            upload = read_upload(received(filename, name="my-pkg", version=version))
        except UploadRefusedError:
            continue
        assert stored_name(upload.filename) == filename
        assert shown(filename) == [filename]


_FIELDS = st.sampled_from(
    [":action", "protocol_version", "name", "version", "filetype", "metadata_version", "requires_python",
     "sha256_digest", "attestations", "gpg_signature", "x"]
)  # fmt: skip
_VALUES = st.text() | st.sampled_from(["1", "file_upload", "sdist", "bdist_wheel", "[{}]", "my-pkg", "1.0", "1" * 5000])


@given(
    st.dictionaries(_FIELDS, st.lists(_VALUES, max_size=2).map(tuple), max_size=4),
    st.text() | st.just(WHEEL),
    st.lists(st.builds(Companion, st.text() | st.just("gpg_signature"), st.text(), st.binary()), max_size=2),
)
def test_no_form_upsets_the_reader(
    fields: dict[str, tuple[str, ...]], filename: str, companions: list[Companion]
) -> None:
    sent = received(WHEEL)
    upload = Received({**sent.fields, **fields}, filename, sent.file, sent.size, sent.sha256, tuple(companions))
    with suppress(UploadRefusedError):
        read_upload(upload)
