# SPDX-License-Identifier: Apache-2.0
"""A command's exit status is its verdict, its output the result, its complaints the error."""
from support import Example, check, equal

with Example("command") as example:
    with open(example.path("poem.txt"), "w", encoding="utf-8") as poem:
        poem.write("the cart\nis not the horse\n")
    counted = example.push("count-words", {"file": "poem.txt"})
    wrong = example.push("count-words", ["no", "file"])
    missing = example.push("count-words", {"file": "elsewhere.txt"})
    example.dray("work", "--max-jobs", "3", "-q")

    job = example.show(counted)
    equal((job["state"], job["result"]), ("done", {"file": "poem.txt", "words": 6}), "counted")
    job = example.show(wrong)
    equal((job["state"], job["attempts"]), ("dead", 1), "a payload without a file")
    check("needs a file" in job["last_error"], job["last_error"])
    job = example.show(missing)
    equal((job["state"], job["attempts"]), ("delayed", 1), "a file that is not there yet")
    check("elsewhere.txt is not there (attempt 1 of 3)" in job["last_error"], job["last_error"])

    with open(example.path("elsewhere.txt"), "w", encoding="utf-8") as text:
        text.write("here now\n")
    example.dray("retry", missing)
    example.dray("work", "--until-empty", "-q")
    job = example.show(missing)
    equal((job["state"], job["attempts"], job["result"]["words"]), ("done", 2, 2), "it came")
