# SPDX-License-Identifier: Apache-2.0
"""Dray, installed below a path with spaces and moved afterwards, is all that somebody else needs: a
driver and an application, in C and in C++, by CMake and by pkg-config, build against it without a
warning, and run."""
import os
import shutil
import subprocess
import sys
import tempfile

BUILD = os.environ["DRAY_BUILD"]
SOURCE = os.environ["DRAY_SOURCE"]
PROJECT = os.path.join(SOURCE, "tests", "install", "project")
EXPECTED = """bin/dray lib/libdray.so lib/pkgconfig/dray.pc lib/cmake/dray/drayConfig.cmake
    lib/dray/memory.so lib/dray/sync.so lib/dray/isolate.so lib/dray/dray-runner
    include/dray/dray.h include/dray/driver.h include/dray/module.h include/dray/version.h
    share/man/man1/dray.1 share/man/man5/dray-config.5 share/man/man7/dray-driver.7""".split()


def check(condition, text):
    if not condition:
        sys.exit(f"failed: {text}")


def run(command, folder, status=0, umask=-1, **environment):
    """Runs a command with nothing of the build in its environment; returns its standard output."""
    clean = {key: value for key, value in os.environ.items()
             if not key.startswith("DRAY_") and key not in ("QUEUE_DRIVER", "LD_LIBRARY_PATH")}
    done = subprocess.run(command, cwd=folder, env={**clean, **environment}, text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, umask=umask)
    check((done.returncode == 0) == (status == 0),
          f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout + (done.stderr if status else "")


def yaml(folder, name, text):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        file.write(f"queue: {{{text}}}\n")


def run_programs(prefix, folder, how):
    """Both applications, with an installed driver and with one of each language beside the YAML."""
    yaml(folder, "memory.yaml", "driver: memory")
    yaml(folder, "slot.yaml", "driver: custom, custom: {module: ./slot.so}")
    yaml(folder, "slotxx.yaml", "driver: custom, custom: {module: ./slotxx.so}")
    for app in ("./app", "./appxx"):
        for config, said in (
                ("memory", f"memory [1] 1 {prefix}/lib/dray/memory.so\n"),
                ("slot", f"slot [1] 1 {folder}/slot.so\n"),
                ("slotxx", f"slot [1] 1 {folder}/slotxx.so\n")):
            got = run([app, f"{config}.yaml"], folder)
            check(got == said, f"{how}, {app} {config}: expected {said!r}, got {got!r}")


def exports(module):
    lines = run(["nm", "-D", "--defined-only", module], "/").splitlines()
    return [line.split()[-1] for line in lines]


def follow_guide(shelf, pkg_config):
    """What docs/drivers.md says to type for building and installing without make."""
    with open(os.path.join(SOURCE, "docs", "drivers.md"), encoding="utf-8") as file:
        _, _, rest = file.read().partition("Without CMake:\n\n")
    block, _, _ = rest.partition("\n\n")
    lines = [line.strip() for line in block.replace("\\\n", " ").splitlines()]
    check(len(lines) == 2 and lines[0].startswith("cc "), f"the guide's commands: {lines}")
    os.remove(os.path.join(shelf, "shelf.so"))
    for line in lines:
        run(["bash", "-ec", f"eval {line}"], shelf, **pkg_config)
    check(exports(os.path.join(shelf, "shelf.so")) == ["dray_driver_entry"], "shelf.so exports more")


def main(folder):
    installed, prefix = os.path.join(folder, "first"), os.path.join(folder, "then here")
    # With this umask others could write to the folders, and drivers there would be refused.
    run(["cmake", "--install", BUILD, "--prefix", installed], folder, umask=0o002)
    os.rename(installed, prefix)
    for file in EXPECTED:
        check(os.path.exists(os.path.join(prefix, file)), f"{file} is not installed")

    build = os.path.join(folder, "by cmake")
    run(["cmake", "-S", PROJECT, "-B", build, f"-DCMAKE_PREFIX_PATH={prefix}"], folder)
    run(["cmake", "--build", build], folder)
    run_programs(prefix, build, "cmake")
    check(exports(os.path.join(build, "slot.so")) == ["dray_driver_entry"], "slot.so exports more")

    # Installed beside the others, a driver is found by its name.
    run(["cmake", "--install", build], folder)
    yaml(build, "name.yaml", "driver: slot")
    check(run(["./app", "name.yaml"], build) == f"slot [1] 1 {prefix}/lib/dray/slot.so\n", "by name")

    # The examples of drivers are projects of that kind.
    examples = ["spool"]
    if subprocess.call(["pkg-config", "--exists", "libpq"]) == 0:
        examples.append("postgres")
    for name in examples:
        example = os.path.join(folder, name)
        run(["cmake", "-S", os.path.join(SOURCE, "examples", f"driver-{name}"), "-B", example,
             f"-DCMAKE_PREFIX_PATH={prefix}", "-DCMAKE_C_FLAGS=-Werror"], folder)
        run(["cmake", "--build", example], folder)
        run(["cmake", "--install", example], folder)
        check(exports(os.path.join(example, f"{name}.so")) == ["dray_driver_entry"],
              f"{name}.so exports more")
    yaml(build, "spool.yaml", "driver: spool, spool: {path: jobs}")
    check(run(["./app", "spool.yaml"], build) == f"spool [1] 1 {prefix}/lib/dray/spool.so\n", "spool")

    # Another minor version is another interface, before 1.0.
    for version, found in (("0.1", True), ("0.2", False), ("0.0", False), ("1.0", False)):
        source = os.path.join(folder, f"asks {version}")
        os.mkdir(source)
        with open(os.path.join(source, "CMakeLists.txt"), "w", encoding="utf-8") as file:
            file.write("cmake_minimum_required(VERSION 3.25)\nproject(p C)\n"
                       f"find_package(dray {version} REQUIRED)\n")
        run(["cmake", "-S", source, "-B", source, f"-DCMAKE_PREFIX_PATH={prefix}"], source,
            status=0 if found else 1)

    made = os.path.join(folder, "by make")
    shutil.copytree(PROJECT, made)
    pkg_config = {"PKG_CONFIG_PATH": os.path.join(prefix, "lib", "pkgconfig")}
    said = run(["pkg-config", "--variable=driverdir", "dray"], made, **pkg_config).strip()
    check(os.path.samefile(said.replace("\\ ", " "), os.path.join(prefix, "lib", "dray")), said)
    run(["make"], made, **pkg_config)
    run_programs(prefix, made, "make")

    # What `dray make driver` writes needs no more than that, either.
    dray = os.path.join(prefix, "bin", "dray")
    run([dray, "make", "driver", "shelf"], folder)
    shelf = os.path.join(folder, "shelf")
    check(run(["make", "-s", "check"], shelf, **pkg_config) == "ok\n", "make check in shelf")
    run(["make", "-s", "install"], shelf, **pkg_config)
    check("keeps jobs in a list" in run([dray, "drivers", "shelf"], folder), "shelf is installed")
    follow_guide(shelf, pkg_config)
    run(["cmake", "-B", "build", f"-DCMAKE_PREFIX_PATH={prefix}"], shelf)
    run(["cmake", "--build", "build"], shelf)
    run(["ctest", "--test-dir", "build"], shelf)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="dray sdk ") as top:
        main(os.path.realpath(top))
