# SPDX-License-Identifier: Apache-2.0
"""The README's program compiles without a warning and does what it says, on its own YAML."""
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
    sanitize = os.environ.get("DRAY_SANITIZE")
    subprocess.run(["cc", "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
                    *([f"-fsanitize={sanitize}"] if sanitize else []), f"-I{SOURCE}/include",
                    "main.c", "-o", "main", f"-L{BUILD}/lib", "-ldray",
                    f"-Wl,-rpath,{BUILD}/lib"], cwd=example.folder, check=True)
    equal(example.run("./main"), 'attempt 1: {"to":"ada@example.org"}\n', "what it prints")
