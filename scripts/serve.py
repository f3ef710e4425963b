"""The OpenAI-style API without the page: the characters of the worlds as models.

    python scripts/serve.py --world worlds/chuiyan --port 8000
    curl http://127.0.0.1:8000/v1/chat/completions -H "Content-Type: application/json" \\
         -d '{"model": "chuiyan/闻筝", "messages": [{"role": "user", "content": "你是谁？"}]}'

ROLEPLAY_API_KEY in the environment is the key that clients must give; beyond loopback
(``--host 0.0.0.0``) there must be one.
"""

from roleplay import cli

main = cli.serve

if __name__ == "__main__":
    raise SystemExit(main())
