"""
Lay out the trees of the packages from the wheels in `wheels/`: run by debian/rules, without network.

`usr/lib/tscm` is an environment of its own that can be moved as a whole.  A package of a kind holds nothing but a
`dist-info` with its entry points: that is how the core finds the kinds that are installed.
"""

import configparser
import pickle
import shutil
import subprocess
import sys
import tomllib
from hashlib import sha256
from pathlib import Path

SOURCE = Path.cwd()
DEBIAN = SOURCE / "debian"
WHEELS = SOURCE / "wheels"
PYTHON = f"python3.{sys.version_info[1]}"
ENVIRONMENT = "usr/lib/tscm"
SITE = f"{ENVIRONMENT}/lib/{PYTHON}/site-packages"
CORE, WEB = DEBIAN / "tscm-core", DEBIAN / "tscm-web"
PIP = next(Path("/usr/share/python-wheels").glob("pip-*.whl"))
GROUP = "tscm.modules"
SCRIPT = """\
#!/{environment}/bin/python3 -I
import sys

from {module} import {function}

sys.argv[0] = {name!r}
sys.exit({function}())
"""
SCRIPTS = {"tsadmin": ("tscm.cli.main", "main"), "twistd": ("twisted.scripts.twistd", "run")}


def run(*words: str, path: Path | None = None, output: Path | None = None) -> None:
    """A program that must succeed; *path* is where it finds modules, *output* takes what it prints."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"}
    for name in ("SOURCE_DATE_EPOCH", "PYTHONHASHSEED", "PYTHONDONTWRITEBYTECODE"):
        environment[name] = subprocess.os.environ.get(name, "")
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    done = subprocess.run(words, env=environment, check=True, stdout=subprocess.PIPE)
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_bytes(done.stdout)


def install(target: Path, *words: str) -> None:
    """What *words* ask pip for, from the wheels alone."""
    run(
        *(sys.executable, f"{PIP}/pip", "install", "--quiet", "--no-index", "--no-deps"),
        *("--no-compile", "--no-warn-script-location", f"--find-links={WHEELS}"),
        *("--root-user-action=ignore", f"--target={target}", *words),
    )


def lay_out() -> None:
    """The environment of the core, and what the page needs besides."""
    site, tools, all_of_it = CORE / SITE, SOURCE / "build/tools", SOURCE / "build/web"
    install(tools, "--require-hashes", "--requirement", str(WHEELS / "build.txt"))
    run(
        *(sys.executable, f"{PIP}/pip", "wheel", "--quiet", "--no-index", "--no-deps"),
        *("--no-build-isolation", "--wheel-dir", str(SOURCE / "build/own"), str(SOURCE)),
        path=tools,
    )
    own = next((SOURCE / "build/own").glob("tscm-*.whl"))
    everything = WHEELS / "everything.txt"
    # In one go, for two distributions put files into `twisted/plugins`.
    everything.write_text(
        f"--requirement run.txt\n{own} --hash=sha256:{sha256(own.read_bytes()).hexdigest()}\n"
    )
    install(site, "--require-hashes", "--requirement", str(everything))
    install(all_of_it, "--require-hashes", "--requirement", str(WHEELS / "web.txt"))
    (WEB / SITE).mkdir(parents=True)
    for one in sorted(all_of_it.iterdir()):
        if not (site / one.name).exists():
            shutil.move(one, WEB / SITE / one.name)
    for root in (site, WEB / SITE):
        for name in ("bin", "share"):
            shutil.rmtree(root / name, ignore_errors=True)
        for folder in [*root.rglob("newsfragments"), *root.rglob("__pycache__")]:
            shutil.rmtree(folder)
        for file in [*root.rglob("direct_url.json"), *root.rglob("REQUESTED")]:
            file.unlink()


def write_environment() -> None:
    """What makes the folder an environment, and its programs."""
    place = CORE / ENVIRONMENT
    version = ".".join(str(one) for one in sys.version_info[:3])
    (place / "pyvenv.cfg").write_text(
        f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {version}\n"
    )
    (place / "bin").mkdir()
    (place / "bin/python3").symlink_to(f"/usr/bin/{PYTHON}")
    for name, (module, function) in SCRIPTS.items():
        script = place / "bin" / name
        script.write_text(
            SCRIPT.format(environment=ENVIRONMENT, module=module, function=function, name=name)
        )
        script.chmod(0o755)
    (CORE / "usr/bin").mkdir(parents=True)
    (CORE / "usr/bin/tsadmin").symlink_to("../lib/tscm/bin/tsadmin")


def write_kinds() -> None:
    """Move the entry points of the kinds from the core into a `dist-info` of each package."""
    site = CORE / SITE
    declared = next(site.glob("tscm-*.dist-info")) / "entry_points.txt"
    parser = configparser.ConfigParser(delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(declared, "utf-8")
    places = dict(parser[GROUP])
    parser.remove_section(GROUP)
    with declared.open("w", encoding="utf-8") as file:
        parser.write(file)
    version = tomllib.loads((SOURCE / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    sys.path.insert(0, str(site))
    from tscm.settings.modules import PACKAGES

    for package in dict.fromkeys(PACKAGES.values()):
        own = DEBIAN / package / SITE / f"{package.replace('-', '_')}-{version}.dist-info"
        own.mkdir(parents=True)
        lines = [
            f"{one} = {places.pop(one)}" for one, by in sorted(PACKAGES.items()) if by == package
        ]
        (own / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines, ""]))
        (own / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n"
        )
    if places:
        raise SystemExit(f"no package brings the device types {', '.join(places)}")


def write_cache() -> None:
    """Twisted's cache of plugins, which nobody may write later; in the same order in every build."""
    site = CORE / SITE
    code = "from twisted.plugin import IPlugin, getPlugins; list(getPlugins(IPlugin))"
    run(sys.executable, "-c", code, path=site)
    sys.path.insert(0, str(site))
    file = site / "twisted/plugins/dropin.cache"
    found = pickle.loads(file.read_bytes())
    file.write_bytes(pickle.dumps(dict(sorted(found.items()))))
    file.chmod(0o644)


def write_units() -> None:
    """The units, with the paths of the packages."""
    for package, names in (
        (CORE, ("tscm.service", "tscm.socket")),
        (WEB, ("tscm-web.service", "tscm-web.socket")),
    ):
        folder = package / "usr/lib/systemd/system"
        folder.mkdir(parents=True)
        for name in names:
            text = (SOURCE / "etc" / name).read_text("utf-8")
            text = text.replace("/opt/tscm/bin/", f"/{ENVIRONMENT}/bin/")
            text = text.replace("/opt/tscm/share/doc/tscm/", "/usr/share/doc/tscm-core/")
            text = text.replace("/usr/share/doc/tscm/", "/usr/share/doc/tscm-core/")
            lines = text.splitlines(keepends=True)
            if lines[0].startswith("# The") and "Copy to" in lines[0]:
                lines[0] = lines[0].partition("  Copy to")[0] + "\n"
            (folder / name).write_text("".join(lines))


def write_documents() -> None:
    """Pages, sample settings, man pages and completion."""
    documents = CORE / "usr/share/doc/tscm-core"
    shutil.copytree(SOURCE / "docs/operate", documents / "operate")
    shutil.copy(SOURCE / "docs/README.md", documents) if (
        SOURCE / "docs/README.md"
    ).exists() else None
    (documents / "examples").mkdir()
    for name in ("tscm.toml", "tscm-embedded.toml"):
        shutil.copy(SOURCE / "etc" / name, documents / "examples")
    site = CORE / SITE
    kinds = [DEBIAN / name / SITE for name in ("ts-asarest", "ts-asa", "ts-asahttp", "ts-lists")]
    modules = Path(":".join(str(one) for one in (site, *kinds)))
    run(sys.executable, "packaging/man.py", str(CORE / "usr/share/man"), path=modules)
    for shell, place in (
        ("bash", "usr/share/bash-completion/completions/tsadmin"),
        ("zsh", "usr/share/zsh/vendor-completions/_tsadmin"),
        ("fish", "usr/share/fish/vendor_completions.d/tsadmin.fish"),
    ):
        run(sys.executable, "-m", "tscm", "completion", shell, path=site, output=CORE / place)


def write_appliance() -> None:
    """What the appliance has beside the core: the first boot, and the way back of its network."""
    package, source = DEBIAN / "tscm-appliance", SOURCE / "packaging/appliance"
    for name, place, mode in (
        ("first-boot", "usr/lib/tscm-appliance", 0o755),
        ("take-back", "usr/lib/tscm-appliance", 0o755),
        ("99-tscm-appliance.rules", "usr/lib/udev/rules.d", 0o644),
        ("tscm-appliance.service", "usr/lib/systemd/system", 0o644),
        ("first-boot.conf", "usr/lib/systemd/system/getty@.service.d", 0o644),
        ("first-boot.conf", "usr/lib/systemd/system/serial-getty@.service.d", 0o644),
    ):
        (package / place).mkdir(parents=True, exist_ok=True)
        shutil.copy(source / name, package / place / name)
        (package / place / name).chmod(mode)


def write_profile() -> None:
    """The AppArmor profile, and the keyring."""
    place = CORE / "etc/apparmor.d"
    place.mkdir(parents=True)
    shutil.copy(DEBIAN / "apparmor.profile", place / "tscm")
    place = DEBIAN / "tscm-archive-keyring/usr/share/keyrings"
    place.mkdir(parents=True)
    shutil.copy(SOURCE / "packaging/archive-key.pgp", place / "tscm-archive-keyring.pgp")


def compile_all() -> None:
    """Bytecode that is never compared with its source: nothing is written when the programs run."""
    for package in (CORE, WEB):
        run(
            *(sys.executable, "-m", "compileall", "-q", "-j", "0", "-s", str(package), "-p", "/"),
            *("--invalidation-mode", "unchecked-hash", str(package / SITE)),
        )


def main() -> None:
    """All of it, in the order in which one needs the other."""
    lay_out()
    write_kinds()
    write_environment()
    write_cache()
    write_units()
    write_documents()
    write_appliance()
    write_profile()
    compile_all()


if __name__ == "__main__":
    main()
