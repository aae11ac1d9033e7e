"""Names, parameters and import paths stay as users know them."""

import public_api


def listed():
    lines = public_api.LIST.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not public_api.missing_package(line)]


def test_what_users_know_is_there():
    lines = listed()
    assert len(lines) > 200
    lost = set(lines).difference(public_api.describe())
    assert not lost, "\n".join(
        ["these are gone or have other parameters:", *sorted(lost)]
    )


def test_additions_are_listed():
    added = set(public_api.describe()).difference(listed())
    assert not added, "\n".join(
        ["to be added by python tests/public_api.py:", *sorted(added)]
    )
