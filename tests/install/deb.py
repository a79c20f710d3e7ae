# SPDX-License-Identifier: Apache-2.0
"""deb.py CPACK PREFIX: the Debian package names what it needs, holds everything in folders that only
root may write to, and works as it lies there."""
import glob
import gzip
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile

BUILD = os.environ["DRAY_BUILD"]
CPACK, PREFIX = sys.argv[1:]
NEEDED = ["libc6", "libjansson4", "libltdl7", "libmd0", "libyaml-0-2"]
FILES = """bin/dray {lib}/libdray.so {lib}/dray/memory.so {lib}/dray/dray-runner include/dray/dray.h
    {lib}/pkgconfig/dray.pc {lib}/cmake/dray/drayConfig.cmake share/man/man1/dray.1.gz
    share/doc/dray/copyright share/doc/dray/changelog.gz share/doc/dray/changelog.Debian.gz""".split()


def check(condition, text):
    if not condition:
        sys.exit(f"failed: {text}")


def run(*command, folder):
    clean = {key: value for key, value in os.environ.items()
             if not key.startswith("DRAY_") and key != "QUEUE_DRIVER"}
    done = subprocess.run(command, cwd=folder, env=clean, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, umask=0o002)
    check(done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}{done.stderr}")
    return done.stdout


def main(folder):
    run(CPACK, "-G", "DEB", "--config", f"{BUILD}/CPackConfig.cmake", "-B", folder, folder=folder)
    [package] = glob.glob(f"{folder}/dray_*.deb")
    depends = run("dpkg-deb", "-f", package, "Depends", folder=folder)
    for name in NEEDED:
        check(f"{name} " in depends.replace(",", " ").replace("\n", " "), f"{name} in {depends}")
    maintainer = run("dpkg-deb", "-f", package, "Maintainer", folder=folder).strip()
    check(re.fullmatch(r"[^<>]+ <[^<>@ ]+@[^<>@ ]+>", maintainer), f"the maintainer: {maintainer}")
    check("example.org" not in maintainer, "nobody is at example.org")
    description = run("dpkg-deb", "-f", package, "Description", folder=folder).splitlines()
    check(len(description) > 3 and description[0] not in (line.strip() for line in description[1:]),
          f"the description: {description}")
    control = run("dpkg-deb", "-I", package, "triggers", folder=folder)
    check("ldconfig" in control, "the linker's cache is not renewed")

    root = f"{folder}/root"
    run("dpkg-deb", "-x", package, root, folder=folder)
    prefix = root + PREFIX
    [library] = glob.glob(f"{prefix}/lib/**/libdray.so", recursive=True)
    lib = os.path.relpath(os.path.dirname(library), prefix)
    for file in FILES:
        check(os.path.exists(f"{prefix}/{file.format(lib=lib)}"), f"{file} is missing")
    with gzip.open(f"{prefix}/share/doc/dray/changelog.Debian.gz", "rt", encoding="utf-8") as file:
        check(file.read().startswith("dray ("), "the changelog is not one of Debian's")
    for path, _, files in os.walk(root):
        for name in [path, *(os.path.join(path, file) for file in files)]:
            check(os.path.islink(name) or not os.stat(name).st_mode & (stat.S_IWGRP | stat.S_IWOTH),
                  f"others may write to {name}")

    with open(f"{folder}/queue.yaml", "w", encoding="utf-8") as file:
        file.write("queue: {driver: sync}\nhandlers:\n  note: {command: [tee, note.txt]}\n")
    run(f"{prefix}/bin/dray", "push", "note", '"hello"', folder=folder)
    with open(f"{folder}/note.txt", encoding="utf-8") as file:
        check(file.read() == '"hello"', "the job did not run")
    check(f"{prefix}/{lib}/dray/memory.so" in run(f"{prefix}/bin/dray", "drivers", folder=folder),
          "the package's own drivers are not the ones found")


if __name__ == "__main__":
    for tool in ("dpkg-deb", "dpkg-shlibdeps"):
        if not shutil.which(tool):
            print(f"skipped: {tool} is missing (Debian package dpkg-dev)")
            sys.exit(77)
    with tempfile.TemporaryDirectory(prefix="dray-deb-") as top:
        main(os.path.realpath(top))
