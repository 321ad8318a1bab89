import pytest

from xmodal_kedro.hooks.command import typed_command


@pytest.mark.parametrize(
    ("arguments", "environment", "command"),
    [
        (["/x/bin/kedro", "run", "--pipelines=train,export"], {}, "kedro run --pipelines=train,export"),
        (["kedro", "run", "--params", "source=./a b"], {}, "kedro run --params 'source=./a b'"),
        (["kedro", "run"], {"KEDRO_ENV": "onnx"}, "kedro run --env=onnx"),
        (["kedro", "run", "-e", "mine"], {"KEDRO_ENV": "onnx"}, "kedro run -e mine"),
        (["kedro", "run", "--env=mine"], {"KEDRO_ENV": "onnx"}, "kedro run --env=mine"),
        (["/x/xmodal_kedro/__main__.py", "--env", "sample"], {}, "python -m xmodal_kedro --env sample"),
        (["kedro", "run", "--params=source=http://me:pass@h/a"], {}, "kedro run '--params=source=http://***@h/a'"),
        (
            ["kedro", "run", "--params", "source=https://h/a.csv?token=x&id=1,data_root=/tmp"],
            {},
            "kedro run --params 'source=https://h/a.csv?token=***&id=1,data_root=/tmp'",
        ),
        (["/x/ipykernel_launcher.py", "-f", "kernel.json"], {}, None),
    ],
)
def test_the_command_is_the_one_that_was_typed(arguments: list[str], environment: dict, command: str | None) -> None:
    assert typed_command(arguments, environment) == command
