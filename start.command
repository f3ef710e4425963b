#!/bin/sh
# Double-click (macOS) or run (Linux): finds Python 3.11 or newer, or lets Homebrew install it, then
# runs launch.py. Mirrors: set ROLEPLAY_PYPI and ROLEPLAY_HUB to addresses of your own before.
cd "$(dirname "$0")" || exit 2
export PYTHONUTF8=1

find_python() {
    for name in python3.13 python3.12 python3.11 python3 python; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
}

python=$(find_python)
if [ -z "$python" ] && command -v brew >/dev/null; then
    brew install python@3.12
    python=$(find_python)
fi
if [ -z "$python" ]; then
    echo "Python 3.11 or newer is needed: install it, then start again."
    echo "需要 Python 3.11 或更新的版本：请先安装，再启动。"
    exit 2
fi
exec "$python" launch.py "$@"
