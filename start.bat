@echo off
rem Double-click: finds Python 3.11 or newer (or lets Windows install it), then runs launch.py.
rem Mirrors: set ROLEPLAY_PYPI and ROLEPLAY_HUB to addresses of your own before.
chcp 65001 >nul
set PYTHONUTF8=1
cd /d "%~dp0"
call :find
if not defined PYTHON (
  where winget >nul 2>nul && winget install --exact --id Python.Python.3.12 --accept-package-agreements --accept-source-agreements
  call :find
)
if not defined PYTHON (
  echo If Python was installed just now: close this window, start again. 如果刚装好 Python：关掉窗口再启动。
  echo Python 3.11 or newer is needed. 需要 Python 3.11 或更新的版本。
  echo Install it from the Microsoft Store, then start again. 请从 Microsoft Store 安装后再启动。
  pause
  exit /b 2
)
%PYTHON% launch.py %*
if errorlevel 1 pause
exit /b %errorlevel%

:find
for %%P in ("py -3.13" "py -3.12" "py -3.11" "python" "python3") do (
  if not defined PYTHON (
    %%~P -c "import sys; sys.exit(sys.version_info < (3, 11))" >nul 2>nul && set "PYTHON=%%~P"
  )
)
exit /b 0
