@echo off
rem From a distilled world to a trained adapter: index, data, training. Flags go to train_roleplaying.py.
rem   set WORLD=worlds\mine
rem   scripts\train_roleplaying.bat --adapter prefix --epochs 4
rem ChatGLM: set MODEL=models\chatglm-6b-int4-qe before
setlocal
cd /d "%~dp0.."
if "%WORLD%"=="" set WORLD=worlds\chuiyan
if "%PYTHON%"=="" set PYTHON=.venv\Scripts\python.exe
if exist "%WORLD%\wiki" (
  "%PYTHON%" scripts\build_knowledge_base.py --world "%WORLD%" || exit /b
)
"%PYTHON%" scripts\prepare_seq2seq_training.py --world "%WORLD%" || exit /b
"%PYTHON%" scripts\train_roleplaying.py --world "%WORLD%" %*
