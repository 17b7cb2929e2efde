"""``python -m plumbline``: the same as the command ``plumbline``.

A frozen application is its own interpreter: started as ``plumbline --child-process`` it is a child
of itself (`plumbline.io.child`) and imports nothing of the window.
"""

import sys

if __name__ == "__main__":
    if sys.argv[1:2] == ["--child-process"]:
        from plumbline.io.child import main as serve

        serve()
    from plumbline.cli.main import main

    sys.exit(main())
