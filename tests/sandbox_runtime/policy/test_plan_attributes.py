"""Methods, attributes and f-strings under ``plan``."""

from __future__ import annotations

import pytest

from sandbox_runtime.policy.plan_names import GIVEN
from tests.sandbox_runtime.policy.policy_cases import assert_plan_refused, wide


@pytest.mark.parametrize(
    "marked",
    [
        pytest.param("f = store.$get", id="method kept"),
        pytest.param("x = sorted(ctx, key=str.$lower)", id="method as key"),
        pytest.param("x = [*map(store.$insert, ctx)]", id="method mapped"),
        pytest.param("x = ctx.$method", id="member read as an attribute"),
        pytest.param("x = ctx.$body_json.get('a')", id="on the way to a method"),
        pytest.param("x = '{0.a}'.$format(ctx)", id="format"),
        pytest.param("x = '{a}'.$format_map(ctx)", id="format_map"),
        pytest.param("x = str.$format('{0}', store)", id="unbound format"),
        pytest.param("x = 'a'.$ljust(1000000000)", id="ljust"),
        pytest.param("x = 'a'.$rjust(1000000000)", id="rjust"),
        pytest.param("x = 'a'.$center(1000000000)", id="center"),
        pytest.param("x = '1'.$zfill(1000000000)", id="zfill"),
        pytest.param("x = '\\t'.$expandtabs(1000000000)", id="expandtabs"),
        pytest.param("x = 'a'.$translate({97: 'b' * 1000})", id="translate"),
        pytest.param("x = str.$maketrans('a', 'b')", id="maketrans"),
        pytest.param("x = 'a'.$encode('idna')", id="encode"),
        pytest.param("x = (1).$to_bytes(1000000000)", id="to_bytes"),
        pytest.param("x = (y for y in ctx).$gi_frame", id="frame"),
        pytest.param("x = (y for y in ctx).$send(1)", id="send"),
        pytest.param("x = dict.$mro()", id="mro"),
        pytest.param("x = {}.keys().$mapping", id="mapping"),
        pytest.param("session_store.$begin()", id="begin"),
        pytest.param("session_store.$commit()", id="commit"),
        pytest.param("session_store.$rollback()", id="rollback"),
        pytest.param("session_store.$close()", id="close"),
        pytest.param("store.$execute('DROP TABLE x')", id="execute"),
        pytest.param("store.$connection.execute('x')", id="connection"),
        pytest.param(f"store.${wide('commit')}()", id="in other letters"),
    ],
)
def test_attribute_is_refused(marked: str) -> None:
    assert_plan_refused(marked, "attribute")


@pytest.mark.parametrize("name", sorted(GIVEN))
@pytest.mark.parametrize(
    ("template", "rule"),
    [
        pytest.param("{}.$x = 1", "attribute-write", id="write"),
        pytest.param("{}.$get = 1", "attribute-write", id="write over a method"),
        pytest.param("{}.$x += 1", "attribute-write", id="augmented"),
        pytest.param("for {}.$x in ctx: pass", "attribute-write", id="loop"),
        pytest.param("x = [1 for {}.$x in ctx]", "attribute-write", id="comprehension"),
        pytest.param("y, *{}.$x = ctx", "attribute-write", id="unpacking"),
        pytest.param("x = {}.$__class__", "underscore", id="class"),
        pytest.param("x = {}.$__dict__", "underscore", id="dictionary"),
        pytest.param("x = {}.$__globals__['os']", "underscore", id="globals"),
        pytest.param("x = {}.$_database", "underscore", id="private part"),
        pytest.param("{}.$_database.execute('x')", "underscore", id="private part, called"),
        pytest.param("x = {}.get('a').$__self__", "underscore", id="of a result"),
        pytest.param("{}.$__dict__['x'] = 1", "underscore", id="write into the dictionary"),
    ],
)
def test_nothing_is_kept_in_or_taken_out_of_a_given_object(template: str, rule: str, name: str) -> None:
    assert_plan_refused(template.replace("{}", name), rule)


@pytest.mark.parametrize(
    ("marked", "part"),
    [
        pytest.param("x = f'{$store!r}'", "conversion", id="repr"),
        pytest.param("x = f'{$store!a}'", "conversion", id="ascii"),
        pytest.param("x = f'{$store=}'", "conversion", id="equals sign"),
        pytest.param("x = f'''a\n{$store!r}'''", "conversion", id="on another line"),
        pytest.param("x = f'{ctx}{$ctx!r:>9}'", "conversion", id="with a width"),
        pytest.param("x = f'{$ctx:{plan}}'", "format_spec", id="computed specification"),
        pytest.param("x = f'{$ctx:>{plan}}'", "format_spec", id="computed width"),
        pytest.param("x = f'{$ctx:.{9}f}'", "format_spec", id="computed precision"),
        pytest.param("x = f'{$ctx:>100}'", "format_spec", id="wide"),
        pytest.param("x = f'{$ctx:0>1000000000}'", "format_spec", id="very wide"),
        pytest.param("x = f'{$ctx:.1000000000f}'", "format_spec", id="very precise"),
        pytest.param(f"x = f'{{$ctx:{'9' * 5000}}}'", "format_spec", id="more digits than int reads"),
        pytest.param("x = f'{$ctx:٩٩٩}'", "format_spec", id="digits of another script"),
    ],
)
def test_part_of_an_f_string_is_refused(marked: str, part: str) -> None:
    assert f"FormattedValue.{part}" in assert_plan_refused(marked, "part").message


def test_async_comprehension_is_refused() -> None:
    assert_plan_refused("x = $[y async for y in ctx]", "part")
