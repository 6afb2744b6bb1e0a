"""The configuration: what it means, and that every mistake is told in one line that names its key."""

from __future__ import annotations

import ssl
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from support.certificates import write_certificate

from pypihub.config import TLS, Config, load_config
from pypihub.errors import ConfigError


def _load(folder: Path, text: str | bytes) -> Config:
    file = folder / "pypihub.toml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return load_config(file)


def _mistake(folder: Path, text: str | bytes) -> str:
    """The one line that a user sees, without the name of the file."""
    with pytest.raises(ConfigError) as caught:
        _load(folder, text)
    line = caught.value.message
    assert line.isprintable(), f"not one line: {line!r}"
    file, _, rest = line.partition(": ")
    assert file == str(folder / "pypihub.toml")
    return rest


def test_without_a_file_pypihub_serves_github_com_on_its_port() -> None:
    config = load_config(None)
    assert (config.server.host, config.server.port) == ("0.0.0.0", 3141)  # noqa: S104
    assert (config.server.endpoint, config.server.tls) == (None, None)
    assert (config.github.owners, config.github.replace) == ((), ())
    assert config.github.api_url == "https://api.github.com"
    assert config.github.graphql_url == "https://api.github.com/graphql"
    assert config.github.timeout == 15
    assert config.cache.directory is None
    assert config.metadata.hash_up_to == 32 * 1024 * 1024


def test_trusted_proxies_are_addresses_and_networks(tmp_path: Path) -> None:
    config = _load(tmp_path, '[server]\ntrusted_proxies = ["127.0.0.1", "10.0.0.0/8", "2001:db8::/32", "unix"]')
    assert config.server.trusted_proxies == ("127.0.0.1", "10.0.0.0/8", "2001:db8::/32", "unix")
    for wrong in ("10.0.0.1/8", "proxy.example.com", "", "10.0.0.0/33"):
        mistake = _mistake(tmp_path, f'[server]\ntrusted_proxies = ["::1", "{wrong}"]')
        assert mistake.startswith('server.trusted_proxies[1]: should be an address, a network such as "10.0.0.0/8"')


def test_the_log_has_a_form_a_level_and_a_file(tmp_path: Path) -> None:
    log = _load(tmp_path, '[log]\nformat = "json"\nlevel = "warn"\nfile = "hub.log"\nmax_size = "1MiB"\nkeep = 2').log
    assert (log.format, log.level, log.file, log.max_size, log.keep) == ("json", "warn", tmp_path / "hub.log", 2**20, 2)
    assert _mistake(tmp_path, '[log]\nformat = "xml"') == 'log.format: should be "text" or "json", not \'xml\''
    assert _mistake(tmp_path, "[log]\nkeep = 0").startswith("log.keep: ")


def test_an_empty_file_is_the_default(tmp_path: Path) -> None:
    assert _load(tmp_path, "") == load_config(None)


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        load_config(None).server.port = 1  # type: ignore[misc]


def test_every_key_is_read(tmp_path: Path) -> None:
    config = _load(
        tmp_path,
        """
        [server]
        host = "::1"
        port = 8080
        [github]
        owners = ["Octo", "jane_corp"]
        api_url = "http://127.0.0.1:3142/"
        graphql_url = "http://127.0.0.1:3142/query"
        timeout = "2m"
        [[github.replace]]
        patt = "^(.*)$"
        repl = "python-$1"
        [[github.replace]]
        patt = "x"
        repl = ""
        """,
    )
    assert (config.server.host, config.server.port) == ("::1", 8080)
    assert config.github.owners == ("Octo", "jane_corp")
    assert config.github.api_url == "http://127.0.0.1:3142"
    assert config.github.graphql_url == "http://127.0.0.1:3142/query"
    assert config.github.timeout == 120
    assert [(rule.patt.regex.pattern, rule.repl) for rule in config.github.replace] == [
        ("^(.*)$", "python-$1"),
        ("x", ""),
    ]


@pytest.mark.parametrize("endpoint", ['"unix:/run/x"', '["tcp:3141", "tcp6:3141"]'])
def test_endpoints_are_taken_as_they_are(tmp_path: Path, endpoint: str) -> None:
    config = _load(tmp_path, f"server.endpoint = {endpoint}")
    assert msgspec.json.encode(config.server.endpoint).decode().replace(",", ", ") == endpoint


@pytest.mark.parametrize(
    ("api_url", "graphql_url"),
    [
        ("https://api.github.com", "https://api.github.com/graphql"),
        ("https://api.github.com/", "https://api.github.com/graphql"),
        ("https://github.example/api/v3", "https://github.example/api/graphql"),
        ("https://github.example/api/v3/", "https://github.example/api/graphql"),
        ("https://api.octo.ghe.com", "https://api.octo.ghe.com/graphql"),
    ],
)
def test_the_graphql_url_follows_from_the_api_url(tmp_path: Path, api_url: str, graphql_url: str) -> None:
    assert _load(tmp_path, f'github.api_url = "{api_url}"').github.graphql_url == graphql_url


@pytest.mark.parametrize(
    ("text", "seconds"), [("15s", 15), ("500ms", 0.5), ("2m", 120), ("1h", 3600), ("1.5s", 1.5), ("24h", 86400)]
)
def test_durations_are_written_with_their_unit(tmp_path: Path, text: str, seconds: float) -> None:
    assert _load(tmp_path, f'github.timeout = "{text}"').github.timeout == seconds


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        # unknown keys
        (
            "prot = 1",
            "prot: unknown key; known here: server, github, cache, metadata, downloads, publish, pages, limits, log,"
            " metrics",
        ),
        ("severs.port = 1", "severs: unknown key; did you mean server?"),
        ("server.prot = 1", "server.prot: unknown key; did you mean server.port?"),
        ("server.tls.cert = 'x'", "server.tls.cert: unknown key; did you mean server.tls.crt?"),
        ("github.owner = 'x'", "github.owner: unknown key; did you mean github.owners?"),
        (
            "[[github.replace]]\npatt='a'\nrepl='b'\n[[github.replace]]\npattern='a'",
            "github.replace[1].pattern: unknown key; did you mean github.replace[1].patt?",
        ),
        (
            "github.zzz = 1",
            "github.zzz: unknown key; known here: owners, api_url, graphql_url, timeout, ca_file, replace",
        ),
        ("cache.dir = 'x'", "cache.dir: unknown key; known here: directory, ttl, stale, memory"),
        ("downloads.mode = 'x'", 'downloads.mode: should be "redirect" or "proxy", not \'x\''),
        ("downloads.mode = 1", "downloads.mode: expected a text, got a whole number"),
        ("metadata.hash_upto = '1MiB'", "metadata.hash_upto: unknown key; did you mean metadata.hash_up_to?"),
        # wrong types
        ("server = 1", "server: expected a table, got a whole number"),
        ("[[server]]\nport = 1", "server: expected a table, got a list"),
        ("server.port = '1'", "server.port: expected a whole number, got a text"),
        ("server.port = true", "server.port: expected a whole number, got true or false"),
        ("server.port = 1.5", "server.port: expected a whole number, got a number"),
        ("server.host = 1", "server.host: expected a text, got a whole number"),
        ("server.endpoint = 1", "server.endpoint: expected a text or a list, got a whole number"),
        ("server.tls = 'x'", "server.tls: expected a table, got a text"),
        ("server.tls.crt = 1", "server.tls.crt: expected a text"),
        ("cache.directory = 1", "cache.directory: expected a text, got a whole number"),
        ("github.owners = 'octo'", "github.owners: expected a list, got a text"),
        ("github.owners = ['octo', 1]", "github.owners[1]: expected a text, got a whole number"),
        ("[github.replace]\npatt = 'a'\nrepl = 'b'", "github.replace: expected a list, got a table"),
        ("[[github.replace]]\npatt = 1\nrepl = 'b'", "github.replace[0].patt: expected a text"),
        # values
        ("server.port = 0", "server.port: expected a whole number >= 1"),
        ("server.port = 65536", "server.port: expected a whole number <= 65535"),
        ("server.host = '[::]'", 'server.host: should be an address without brackets, such as "::1"'),
        ("server.endpoint = ''", 'server.endpoint: should be an endpoint such as "tcp:3141", or a list of them'),
        ("server.endpoint = []", 'server.endpoint: should be an endpoint such as "tcp:3141", or a list of them'),
        ("github.owners = ['octo/pkg']", "github.owners[0]: should be a GitHub user or organization, without a slash"),
        ("github.owners = ['o', '']", "github.owners[1]: should be a GitHub user or organization, without a slash"),
        # what goes together
        ("[[github.replace]]\nrepl = 'b'", "github.replace[0].patt: is missing, it should be a text"),
        ("[[github.replace]]\npatt = 'b'", "github.replace[0].repl: is missing, it should be a text"),
        ("server.tls.crt = 'x'", "server.tls.key: is missing, it should be a text"),
        ("server.tls.key = 'x'", "server.tls.crt: is missing, it should be a text"),
        ("[server]\nendpoint = 'x'\nport = 1", "server.endpoint: stands instead of server.port; give one of them"),
        ("[server]\nendpoint = 'x'\nhost = 'h'", "server.endpoint: stands instead of server.host; give one of them"),
        # regular expressions
        (
            "[[github.replace]]\npatt = '(a'\nrepl = 'b'",
            "github.replace[0].patt: expected a regular expression (RE2): missing ): (a",
        ),
    ],
)
def test_a_mistake_is_told_with_its_key(tmp_path: Path, text: str, mistake: str) -> None:
    assert _mistake(tmp_path, text) == mistake


@pytest.mark.parametrize("pattern", [r"(?=a)", r"(a)\1", "a**", "[b-a]", "(`x | y`"])
def test_a_bad_pattern_is_told_in_re2s_words(tmp_path: Path, pattern: str) -> None:
    text = f"[[github.replace]]\npatt = '''{pattern}'''\nrepl = ''"
    assert _mistake(tmp_path, text).startswith("github.replace[0].patt: expected a regular expression (RE2): ")


def test_a_mistake_stays_on_one_line_where_the_text_has_more(tmp_path: Path) -> None:
    pattern = "[[github.replace]]\npatt = '''\n(a\nb\n'''\nrepl = ''"
    assert _mistake(tmp_path, pattern).startswith("github.replace[0].patt: expected a regular expression")
    assert "unknown key" in _mistake(tmp_path, r'"a\nb" = 1')


@pytest.mark.parametrize("value", ["15", "1.5", "true", "'15'", "'-1s'", "'1d'", "'1 s'", "'s'"])
def test_a_duration_needs_a_unit(tmp_path: Path, value: str) -> None:
    assert _mistake(tmp_path, f"github.timeout = {value}").startswith("github.timeout: expected a duration such as")


@pytest.mark.parametrize("value", ["0s", "0.0ms", "25h", "1441m", "9" * 400 + "h"])
def test_a_duration_has_bounds(tmp_path: Path, value: str) -> None:
    mistake = _mistake(tmp_path, f'server.drain = "{value}"')
    assert mistake == 'server.drain: expected a duration of more than nothing, and of "24h" at most'


@pytest.mark.parametrize(
    ("text", "size"), [("0KiB", 0), ("512KiB", 512 * 1024), ("32MiB", 32 * 1024**2), ("2GiB", 2 * 1024**3)]
)
def test_sizes_are_written_with_their_unit(tmp_path: Path, text: str, size: int) -> None:
    assert _load(tmp_path, f'metadata.hash_up_to = "{text}"').metadata.hash_up_to == size


@pytest.mark.parametrize("value", ["5", "true", "'32'", "'32MB'", "'1.5MiB'", "'-1MiB'", "'1 MiB'", "'MiB'", "'٣MiB'"])
def test_a_size_needs_a_unit(tmp_path: Path, value: str) -> None:
    mistake = _mistake(tmp_path, f"metadata.hash_up_to = {value}")
    assert mistake == 'metadata.hash_up_to: expected a size such as "512KiB", "32MiB" or "2GiB"'


def test_a_size_has_six_digits_at_most(tmp_path: Path) -> None:
    mistake = _mistake(tmp_path, "cache.memory = '9999999GiB'")
    assert mistake == 'cache.memory: expected a size of up to six digits such as "512KiB", "32MiB" or "2GiB"'


@pytest.mark.parametrize("tag", ["v{version}", "{name}-{version}", "{name}/v{version}", "release+{version}"])
def test_tags_of_new_releases_have_fields(tmp_path: Path, tag: str) -> None:
    assert _load(tmp_path, f"publish.tag = '{tag}'").publish.tag == tag


@pytest.mark.parametrize(
    "tag", ["", "latest", "{name}", "v{version", "{version}{0}", "{version} x", "-{version}", "ü{version}"]
)
def test_a_tag_is_another_one_for_each_version_and_one_that_git_takes(tmp_path: Path, tag: str) -> None:
    assert _mistake(tmp_path, f"publish.tag = '{tag}'").startswith("publish.tag: should be a tag with {version}")


def test_the_cache_lies_beside_the_configuration_or_in_memory(tmp_path: Path) -> None:
    assert _load(tmp_path, "cache.directory = 'facts'").cache.directory == str(tmp_path / "facts")
    assert _load(tmp_path, "cache.directory = '/var/cache/hub'").cache.directory == "/var/cache/hub"
    assert _load(tmp_path, "cache.directory = ''").cache.directory == ""


@pytest.mark.parametrize(
    ("url", "api"),
    [
        ("https://github.com", "https://api.github.com"),
        ("https://www.GitHub.com/", "https://api.github.com"),
        ("https://octo.ghe.com", "https://api.octo.ghe.com"),
    ],
)
def test_githubs_pages_for_people_are_no_api(tmp_path: Path, url: str, api: str) -> None:
    assert _mistake(tmp_path, f'github.api_url = "{url}"').startswith(f"github.api_url: should be {api}, for ")


@pytest.mark.parametrize("key", ["github.api_url", "github.graphql_url"])
@pytest.mark.parametrize("host", ["code_host.example", "[::1]:8443", "-code.example", "code..example"])
def test_githubs_host_is_one_that_can_be_asked(tmp_path: Path, key: str, host: str) -> None:
    mistake = _mistake(tmp_path, f'{key} = "https://{host}/api/v3"')
    assert mistake == f"{key}: should have a host that is a name by the rules of IDNA, or an IPv4 address"


@pytest.mark.parametrize("key", ["github.api_url", "github.graphql_url", "server.url"])
@pytest.mark.parametrize(
    "url",
    [
        "api.github.com",
        "ftp://api.github.com",
        "https://",
        "https://u:secret@api.github.com",
        "https://api.github.com:99999",
        "https://api.github.com:x",
        "https://api.github.com/ x",
        "https://é.example",
        "https://api.github.com?x=1",
        "https://api.github.com#x",
        "https://api.github.com/?",
        "https://api.github.com/#",
        "https://[::1",
    ],
)
def test_a_url_is_http_without_credentials(tmp_path: Path, key: str, url: str) -> None:
    mistake = _mistake(tmp_path, f'{key} = "{url}"')
    assert mistake.startswith(f"{key}: should be a URL")
    assert "secret" not in mistake


@pytest.mark.parametrize("end", ["/simple/", "/acme/simple", "/legacy/", "/acme/legacy//"])
def test_a_servers_url_is_not_that_of_its_index(tmp_path: Path, end: str) -> None:
    mistake = _mistake(tmp_path, f'server.url = "https://hub.example.org{end}"')
    assert mistake == "server.url: should be the server's, without /OWNER/simple/ at its end"
    assert _load(tmp_path, 'server.url = "https://simple/"').server.url == "https://simple"


@pytest.mark.parametrize(
    "url", ["https://a.example/$(id)", "https://a.example/`id`", "https://a.example/'x", 'http://"']
)
def test_the_server_s_url_has_nothing_in_it_that_a_shell_reads(tmp_path: Path, url: str) -> None:
    assert _mistake(tmp_path, f"server.url = {msgspec.json.encode(url).decode()}").startswith("server.url: should be")


def test_the_server_s_url_may_have_a_path(tmp_path: Path) -> None:
    config = _load(tmp_path, 'server.url = "https://a.example:8443/hub/"\npages.remote_images = true')
    assert config.server.url == "https://a.example:8443/hub"
    assert config.pages.remote_images
    assert not load_config(None).pages.remote_images


@pytest.mark.parametrize(
    "text",
    [
        "port",
        "[server",
        "a = 1\na = 2",
        b"a = '\xff'",
        "a = '\x00'",
        pytest.param("a = " + "[" * 5000, id="nested deeply"),
        pytest.param("a = " + "9" * 5000, id="a long number"),
    ],
)
def test_what_is_not_toml_is_told_in_one_line(tmp_path: Path, text: str | bytes) -> None:
    assert _mistake(tmp_path, text).startswith("is not TOML that can be read: ")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^.*/none\.toml: cannot be read: No such file or directory$"):
        load_config(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_config(tmp_path)


# TLS

_TLS = "[server.tls]\ncrt = 'crt.pem'\nkey = 'key.pem'\n"


@pytest.fixture
def tls_folder(tmp_path: Path) -> Path:
    """A folder with a certificate and its key."""
    write_certificate(tmp_path / "crt.pem", tmp_path / "key.pem")
    return tmp_path


def test_certificates_are_found_beside_the_configuration(
    tls_folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tls_folder)
    Path("hub.toml").write_text(_TLS)
    tls = load_config(Path("hub.toml")).server.tls
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert tls == TLS(crt=tls_folder / "crt.pem", key=tls_folder / "key.pem")


def test_absolute_paths_stay(tls_folder: Path) -> None:
    folder = tls_folder / "etc"
    folder.mkdir()
    tls = _load(folder, f"[server.tls]\ncrt = '{tls_folder}/crt.pem'\nkey = '{tls_folder}/key.pem'").server.tls
    assert tls == TLS(crt=tls_folder / "crt.pem", key=tls_folder / "key.pem")


def test_one_file_may_hold_certificate_chain_and_key(tls_folder: Path) -> None:
    chain = write_certificate(tls_folder / "ca.pem", tls_folder / "ca-key.pem")
    crt, key = (tls_folder / "crt.pem").read_bytes(), (tls_folder / "key.pem").read_bytes()
    (tls_folder / "all.pem").write_bytes(crt + chain + key)
    assert _load(tls_folder, "[server.tls]\ncrt = 'all.pem'\nkey = 'all.pem'").server.tls


@pytest.mark.parametrize("name", ["crt", "key"])
@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "No such file or directory"),
        ("", "holds none, or a broken one"),
        ("hello", "holds none, or a broken one"),
        ("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", "holds none, or a broken one"),
    ],
)
def test_a_file_that_is_no_certificate_or_key_is_named(
    tls_folder: Path, name: str, content: str | None, why: str
) -> None:
    file = tls_folder / f"{name}.pem"
    file.unlink()
    if content is not None:
        file.write_text(content)
    mistake = _mistake(tls_folder, _TLS)
    assert mistake.startswith(f"server.tls.{name}: should be a PEM ")
    assert str(file) in mistake
    assert mistake.endswith(why)


@pytest.mark.parametrize("second", ["hello", "aGVsbG8=", None], ids=["not base64", "no certificate", "cut"])
def test_a_broken_certificate_in_the_chain_is_refused(tls_folder: Path, second: str | None) -> None:
    file = tls_folder / "crt.pem"
    broken = "-----BEGIN CERTIFICATE-----\n" + (f"{second}\n-----END CERTIFICATE-----\n" if second else "MIIB")
    file.write_text(file.read_text() + broken)
    mistake = _mistake(tls_folder, _TLS)
    assert mistake == f"server.tls.crt: should be a PEM certificate: {file} holds none, or a broken one"


def test_certificate_and_key_the_wrong_way_round_are_refused(tls_folder: Path) -> None:
    mistake = _mistake(tls_folder, "[server.tls]\ncrt = 'key.pem'\nkey = 'crt.pem'\n")
    assert mistake.startswith("server.tls.crt: should be a PEM certificate")
    assert (tls_folder / "key.pem").read_text().splitlines()[1] not in mistake


def test_another_certificates_key_is_refused(tls_folder: Path) -> None:
    write_certificate(tls_folder / "other.pem", tls_folder / "key.pem")
    assert _mistake(tls_folder, _TLS).startswith("server.tls.key: should be the key of server.tls.crt")


def test_an_encrypted_key_is_refused(tls_folder: Path) -> None:
    file = tls_folder / "key.pem"
    key = load_pem_private_key(file.read_bytes(), None)
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"password")))
    assert _mistake(tls_folder, _TLS) == f"server.tls.key: should be a PEM private key: {file} is encrypted"


@pytest.mark.parametrize(("name", "label"), [("crt", "CERTIFICATE"), ("key", "PRIVATE KEY")])
def test_a_key_of_an_unknown_kind_is_refused(tls_folder: Path, name: str, label: str) -> None:
    """Another program made it, with a curve that OpenSSL does not know."""
    file = tls_folder / f"{name}.pem"
    der = ssl.PEM_cert_to_DER_cert(file.read_text().replace(label, "CERTIFICATE"))
    known, unknown = bytes.fromhex("2a8648ce3d030107"), bytes.fromhex("2a8648ce3d03010f")
    file.write_text(ssl.DER_cert_to_PEM_cert(der.replace(known, unknown)).replace("CERTIFICATE", label))
    assert _mistake(tls_folder, _TLS).startswith(f"server.tls.{name}: should be ")


@pytest.mark.parametrize("form", ["tls:{}:3150", "tls:port=3150:path={}", "haproxy:tls:{}:3150"])
def test_a_tls_endpoint_needs_a_folder_with_certificates(tls_folder: Path, form: str) -> None:
    """Twisted would listen, and refuse every connection."""
    (folder := tls_folder / "a:b").mkdir()
    text = f"server.endpoint = ['tcp:3141', '{form.format(str(folder).replace(':', chr(92) + ':'))}']"
    mistake = f'server.endpoint: should name a folder that holds certificates (*.pem), not "{folder}"'
    assert _mistake(tls_folder, text) == mistake
    (tls_folder / "crt.pem").rename(folder / "crt.pem")
    mistake = f'server.endpoint: "{folder}" should hold a certificate for a host name (subjectAltName) and its key'
    assert _mistake(tls_folder, text) == mistake
    (tls_folder / "key.pem").rename(folder / "key.pem")
    assert _load(tls_folder, text)
    assert "/nonexistent" in _mistake(tls_folder, f"server.endpoint = '{form.format('/nonexistent')}'")


def test_a_tls_folder_with_the_root_certificate_in_it_is_refused(tmp_path: Path) -> None:
    """Twisted would look for the root's issuer, which is the root, for ever."""
    (folder := tmp_path / "tls").mkdir()
    root = ec.generate_private_key(ec.SECP256R1())
    write_certificate(folder / "root.pem", tmp_path / "root.key", private=root, name="Company Root")
    write_certificate(
        folder / "hub.pem", folder / "key.pem", private=ec.generate_private_key(ec.SECP256R1()), issuer=root,
        issuer_name="Company Root",
    )  # fmt: skip
    text = f"server.endpoint = 'tls:{folder}:3150'"
    assert _mistake(tmp_path, text) == (
        f"server.endpoint: {folder}/root.pem holds a root certificate, which Twisted would follow for ever; "
        "clients have it, take it out"
    )
    (folder / "root.pem").unlink()
    assert _load(tmp_path, text)


@pytest.mark.parametrize("label", ["CERTIFICATE", "PRIVATE KEY"])
def test_a_tls_folder_with_a_broken_file_in_it_is_refused(tls_folder: Path, label: str) -> None:
    (broken := tls_folder / "broken.pem").write_text(f"-----BEGIN {label}-----\nbm90aGluZw==\n-----END {label}-----\n")
    mistake = _mistake(tls_folder, f"server.endpoint = 'tls:{tls_folder}:3150'")
    assert mistake.startswith(f"server.endpoint: {broken} should hold PEM certificates and their keys, and holds a ")
    assert mistake.endswith(f"{label} that cannot be read")


@pytest.mark.parametrize("form", ["ssl:443:{key}:{crt}", "ssl:443:certKey={crt}:privateKey={key}"])
def test_an_ssl_endpoint_s_key_belongs_to_its_certificate(tls_folder: Path, form: str) -> None:
    crt, key = tls_folder / "crt.pem", tls_folder / "key.pem"
    text = f"server.endpoint = '{form.format(crt=crt, key=key)}'"
    assert _load(tls_folder, text)
    write_certificate(tls_folder / "other.pem", key)
    mistake = _mistake(tls_folder, text)
    assert mistake.startswith("server.endpoint (privateKey): should be the key of server.endpoint (certKey), and ")
    key.unlink()
    assert f"{key}: No such file" in _mistake(tls_folder, text)


def test_authorities_of_one_s_own_are_in_a_file_beside_it(tls_folder: Path) -> None:
    assert _load(tls_folder, "github.ca_file = 'crt.pem'").github.ca_file == tls_folder / "crt.pem"
    assert load_config(None).github.ca_file is None
    mistake = _mistake(tls_folder, "github.ca_file = 'key.pem'")
    assert mistake.startswith("github.ca_file: should be a file of PEM certificates: ")
    assert "missing.pem: No such file" in _mistake(tls_folder, "github.ca_file = 'missing.pem'")


def test_an_endpoint_cannot_have_tls_beside_it(tls_folder: Path) -> None:
    mistake = _mistake(tls_folder, f"[server]\nendpoint = 'tcp:1'\n{_TLS}")
    assert mistake == "server.endpoint: stands instead of server.tls; give one of them"


def test_limits_leave_room_for_a_request(tmp_path: Path) -> None:
    limits = _load(tmp_path, '[limits]\nheader_size = "32KiB"\nurl_length = 20000\nheaders = "1s"').limits
    assert (limits.header_size, limits.url_length, limits.headers, limits.idle) == (32768, 20000, 1, 60)
    for wrong, mistake in {
        'header_size = "0KiB"': 'limits.header_size: should be a size from "1KiB" to "1MiB"',
        'header_size = "2MiB"': 'limits.header_size: should be a size from "1KiB" to "1MiB"',
        "url_length = 16384": "limits.url_length: should be less than limits.header_size, of which the URL is a part",
        "url_length = 1": "limits.url_length: expected a whole number >= 256",
        "in_flight = 0": "limits.in_flight: expected a whole number >= 1",
        'idle = "0s"': 'limits.idle: expected a duration of more than nothing, and of "24h" at most',
    }.items():
        assert _mistake(tmp_path, f"[limits]\n{wrong}") == mistake
