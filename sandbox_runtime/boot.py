"""The script a zygote starts from: ``python -I -S -u boot.py CONTROL_FD PATH …``.

Workers come back here to run their program, so that it stands one call below the interpreter itself.
"""

import sys

sys.path[:0] = sys.argv[2:]

from sandbox_runtime import preload  # noqa: E402 - the path must be set first

preload.import_modules(preload.BASE + preload.OURS)

from sandbox_runtime import worker, zygote  # noqa: E402 - after what they import: see preload

run = zygote.main()
if run.code is not None:
    try:
        exec(run.code, run.namespace)  # noqa: S102 - this is the one place where foreign code runs
    except BaseException as error:  # noqa: BLE001 - whatever the program raised is its outcome
        run.error = error.with_traceback(error.__traceback__.tb_next if error.__traceback__ else None)
worker.end(run)
