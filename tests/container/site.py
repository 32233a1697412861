"""What this site needs to reach its registries, handed to builds and containers without leaving a trace in images."""

from collections.abc import Mapping
from pathlib import Path

PASSED_ON = ("http_proxy", "https_proxy", "no_proxy", "PIP_INDEX_URL", "GOPROXY")
CA_IN_CONTAINER = "/run/site-ca.crt"
PIP_CONF = "[global]\ncert = /run/secrets/ca_bundle\n"


def ca_bundle(environ: Mapping[str, str]) -> Path | None:
    """Return the CA bundle that pip or OpenSSL was told to use on this machine."""
    for name in ("PIP_CERT", "SSL_CERT_FILE"):
        path = Path(environ.get(name) or "/nonexistent")
        if path.is_file():
            return path.resolve()
    return None


def build_options(environ: Mapping[str, str], folder: Path) -> list[str]:
    """Return options of ``docker build``; pip's configuration is written into ``folder``.

    A Dockerfile mounts the secrets ``pip_conf`` and ``ca_bundle`` (both absent where no bundle is needed). Proxies
    are build arguments that every Dockerfile knows and no image keeps.
    """
    proxies = (name for name in PASSED_ON if name.endswith("_proxy") and name in environ)
    options = [word for name in proxies for word in ("--build-arg", name)]
    bundle = ca_bundle(environ)
    if bundle:
        (folder / "pip.conf").write_text(PIP_CONF)
        options += [
            "--secret",
            f"id=pip_conf,src={folder / 'pip.conf'}",
            "--secret",
            f"id=ca_bundle,src={bundle}",
        ]
    return options


def run_options(environ: Mapping[str, str]) -> list[str]:
    """Return options of ``docker run`` for a container that downloads."""
    options = [f"--env={name}" for name in PASSED_ON if name in environ]
    bundle = ca_bundle(environ)
    if bundle:
        options += [f"--volume={bundle}:{CA_IN_CONTAINER}:ro"]
        options += [f"--env={name}={CA_IN_CONTAINER}" for name in ("SSL_CERT_FILE", "PIP_CERT")]
    return options
