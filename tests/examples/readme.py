# SPDX-License-Identifier: Apache-2.0
"""Dray installs into any folder, and against that the README's program compiles without a warning
and does what it says, with the YAML of the README and no environment to help it."""
import os
import re
import subprocess

from support import BUILD, SOURCE, Example, equal

with Example("embed") as example:
    with open(f"{SOURCE}/README.md", encoding="utf-8") as readme:
        text = readme.read()
    for kind, name in (("c", "main.c"), ("yaml", "queue.yaml")):
        with open(example.path(name), "w", encoding="utf-8") as file:
            file.write(re.search(rf"```{kind}\n(.*?)```", text, re.DOTALL)[1])
    installed = example.path("with a space")
    subprocess.run(["cmake", "--install", BUILD, "--prefix", installed], check=True,
                   stdout=subprocess.DEVNULL)
    sanitize = os.environ.get("DRAY_SANITIZE")
    subprocess.run(["cc", "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
                    *([f"-fsanitize={sanitize}"] if sanitize else []), f"-I{installed}/include",
                    "main.c", "-o", "main", f"-L{installed}/lib", "-ldray",
                    f"-Wl,-rpath,{installed}/lib"], cwd=example.folder, check=True)
    del example.environment["DRAY_DRIVER_PATH"]
    equal(example.run("./main"), 'attempt 1: {"to":"ada@example.org"}\n', "what it prints")

    # The installed command finds its library and drivers from where it is.
    id = example.run(f"{installed}/bin/dray", "push", "send-welcome", "{}").strip()
    with open(example.path("queue.yaml"), "a", encoding="utf-8") as file:
        file.write("handlers:\n  send-welcome: {command: [cat]}\n")
    example.run(f"{installed}/bin/dray", "work", "--until-empty", "-q")
    equal(example.run(f"{installed}/bin/dray", "list", "--json"), "", f"jobs left of {id}")
