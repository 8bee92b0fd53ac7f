"""Lists of thousands of names hold what was searched for, and what is chosen."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from pages.ui import narrowing
from pages.ui.narrowing import matches


def _page(most: int) -> None:
    import streamlit as st

    from pages.ui.narrowing import narrowed

    labels = {number: f"{number} · /layer.{number % 12}/MatMul" for number in range(most)}
    kept = st.session_state.get("kept", [])
    offer = narrowed(labels, key="find", find="Find nodes", chosen=kept)
    st.multiselect("Kept", offer.options, key="kept", filter_mode=offer.filter_mode, format_func=str)


def _shown(most: int) -> AppTest:
    return AppTest.from_function(_page, args=(most,)).run()


def test_a_list_of_few_names_holds_them_all_and_is_searched_by_typing_in_it():
    app = _shown(300)

    assert len(app.multiselect[0].options) == 300
    assert not app.text_input


def test_a_list_of_many_names_holds_the_first_matches():
    app = _shown(5000)
    assert app.multiselect[0].options == [str(number) for number in range(100)]

    app.text_input("find").set_value("LAYER.11 matmul").run()

    assert app.multiselect[0].options[:2] == ["11", "23"]
    assert "416 matches; the list holds the first 100." in app.caption[0].value


def test_what_was_chosen_stays_chosen_while_another_name_is_searched():
    app = _shown(5000)
    app.text_input("find").set_value("4711").run()
    app.multiselect[0].select("4711").run()

    app.text_input("find").set_value("layer.3/").run()

    assert app.session_state["kept"] == [4711]
    assert app.multiselect[0].options[:2] == ["4711", "3"]


def test_a_number_finds_its_own_layer_before_those_that_only_hold_it():
    labels = {number: f"{number} · conv" for number in range(400)}

    assert matches(labels, "17") == [17, 117, 170, *range(171, 180), 217, 317]
    assert matches(labels, " ") == list(labels)


def test_the_build_form_keeps_nodes_that_were_found_one_after_another(open_page, mlp, monkeypatch):
    monkeypatch.setattr(narrowing, "_FEW", 1)
    monkeypatch.setattr(narrowing, "_MOST", 1)
    page, key = open_page("build", model=mlp.id), f"build.{mlp.id}.keep"

    for name in ("first", "second"):
        page.text_input(f"{key}.find").set_value(name).run()
        page.multiselect(key).select(page.multiselect(key).options[-1]).run()

    assert page.session_state[key] == ["first", "second"]
