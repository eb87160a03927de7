"""The embedded default: everything that `keystroke dev` runs on one machine, and how it is kept running.

`dev` tells the story; `programs` says what is started, `supervised` keeps one of them alive, `broker` is the embedded
Valkey, `locks` sees to it that a project is served once, `leash` that nothing outlives its `keystroke dev`.
"""
