from __future__ import annotations

from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from bridge.errors import SettingsError
from bridge.settings import keys, keys_of, load, shown


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(text: str, folder: Path | None = None) -> Path:
    file = (folder or Path()) / "bridge.toml"
    file.write_text(text, "utf-8")
    return file


def mistakes(text: str = "", environ: dict[str, str] | None = None, **given: Any) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load(written(text), environ=environ or {}, command_line=given)
    return caught.value.mistakes


def test_with_nothing_set_the_defaults_hold() -> None:
    settings = load(environ={})
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 8080)
    assert settings.store_url == f"sqlite:///{Path('data/bridge.sqlite').absolute()}"
    assert set(settings.sources.values()) == {"default"}


def test_command_line_beats_environment_beats_secret_file_beats_toml_beats_default() -> None:
    written('[store]\nurl = "sqlite:///toml"\n')
    Path("secret").write_text("sqlite:///secret\n")
    environ: dict[str, str] = {}
    assert load(environ=environ).store.url == "sqlite:///toml"
    environ["SOAPBRIDGE_STORE_URL_FILE"] = "secret"
    assert load(environ=environ).store.url == "sqlite:///secret"
    environ["SOAPBRIDGE_STORE_URL"] = "sqlite:///environment"
    assert load(environ=environ).store.url == "sqlite:///environment"
    settings = load(environ=environ, command_line={"store.url": "sqlite:///given", "server.port": None})
    assert (settings.store.url, settings.server.port) == ("sqlite:///given", 8080)
    assert settings.sources["store.url"] == "command line"


def test_a_value_says_the_file_and_line_it_came_from() -> None:
    settings = load(written('# first\n[log]\nlevel = "debug"\n'), environ={})
    assert settings.sources["log.level"] == "bridge.toml:3"


def test_environment_values_are_read_into_the_type_of_their_key() -> None:
    environ = {
        "SOAPBRIDGE_SERVER_PORT": "9000",
        "SOAPBRIDGE_SERVER_GRACE": "2.5",
        "SOAPBRIDGE_CONTRACTS_REMOTE": "yes",
        "SOAPBRIDGE_SERVER_TRUSTED_PROXIES": "10.0.0.0/8, 192.0.2.1",
    }
    settings = load(environ=environ)
    assert settings.server.port == 9000
    assert settings.server.grace == 2.5
    assert settings.contracts.remote is True
    assert settings.server.trusted_proxies == ("10.0.0.0/8", "192.0.2.1")


def test_paths_in_the_file_start_at_the_file_and_others_at_the_working_folder() -> None:
    Path("etc").mkdir()
    file = written('[data]\nfolder = "here"\n[contracts]\ncatalog = ["a", "/b"]\n', Path("etc"))
    settings = load(file, environ={})
    assert settings.data.folder == Path("etc/here")
    assert settings.contracts.catalog == (Path("etc/a"), Path("/b"))
    assert load(file, environ={"SOAPBRIDGE_DATA_FOLDER": "there"}).data.folder == Path("there")


def test_all_mistakes_are_reported_at_once_each_with_its_place() -> None:
    found = mistakes(
        '[server]\nprot = 1\nport = 70000\n\n[servr]\nhost = "x"\n\n[log]\nlevel = "loud"\n',
        {"SOAPBRIDGE_SERVER_WORKERS": "two", "SOAPBRIDGE_LOG_LEVL": "info"},
    )
    assert sorted(found) == [
        "SOAPBRIDGE_LOG_LEVL: no setting reads this variable; did you mean SOAPBRIDGE_LOG_LEVEL?",
        "SOAPBRIDGE_SERVER_WORKERS: server.workers must be a whole number, not 'two'",
        "bridge.toml:2: there is no key server.prot; did you mean port?",
        "bridge.toml:3: server.port must be at most 65535, not 70000",
        "bridge.toml:5: there is no section [servr]; did you mean server?",
        "bridge.toml:9: log.level must be one of debug, info, warning, error, not 'loud'",
    ]


def test_a_key_in_the_wrong_section_is_sent_to_the_right_one() -> None:
    assert mistakes("[log]\nport = 1\n") == (
        "bridge.toml:2: there is no key log.port; did you mean server.port?",
    )


def test_dotted_and_quoted_keys_are_found_at_their_line() -> None:
    assert mistakes('\nserver.port = "x"\n')[0].startswith(
        "bridge.toml:2: server.port must be a whole number"
    )
    assert mistakes('[server]\n\n"port" = true\n')[0].startswith("bridge.toml:3: ")


def test_a_file_that_is_no_toml_names_the_line() -> None:
    (mistake,) = mistakes("[server\n")
    assert "bridge.toml" in mistake
    assert "line 1" in mistake


def test_variables_that_an_orchestrator_makes_for_a_service_of_our_name_are_left_alone() -> None:
    load(environ={"SOAPBRIDGE_PORT": "tcp://10.0.0.1:8080", "SOAPBRIDGE_SERVICE_HOST": "10.0.0.1"})


def test_several_workers_on_sqlite_are_refused_with_the_way_out() -> None:
    (mistake,) = mistakes("[server]\nworkers = 2\n")
    assert mistake.startswith("bridge.toml:2: ")
    assert "PostgreSQL" in mistake
    load(written("[server]\nworkers = 2\n[store]\nurl = 'postgresql+psycopg://h/n'\n"), environ={})


@pytest.mark.parametrize("url", ["bridge.example.com", "ftp://x", "https://x?wsdl", "https://"])
def test_a_public_url_that_clients_cannot_reach_is_refused(url: str) -> None:
    (mistake,) = mistakes(f"[server]\npublic_url = '{url}'\n")
    assert "server.public_url" in mistake


def test_a_certificate_without_its_key_is_refused() -> None:
    assert mistakes("[tls]\ncertificate = 'a.pem'\n") == (
        "bridge.toml:2: tls.certificate is set and tls.key is not: set both or neither",
    )


@pytest.mark.parametrize("value", ["nan", "inf", "-1", "1e9", "true"])
def test_a_number_out_of_range_or_no_number_is_refused(value: str) -> None:
    assert len(mistakes(f"[server]\ngrace = {value}\n")) == 1


def test_a_secret_file_that_cannot_be_read_is_a_mistake_not_a_default() -> None:
    (mistake,) = mistakes(environ={"SOAPBRIDGE_STORE_URL_FILE": "/nowhere"})
    assert "SOAPBRIDGE_STORE_URL_FILE" in mistake


def test_a_settings_file_named_and_missing_is_a_mistake() -> None:
    with pytest.raises(SettingsError, match=r"no settings file other\.toml"):
        load(environ={"SOAPBRIDGE_CONFIG": "other.toml"})


def test_passwords_are_not_shown() -> None:
    (url,) = [key for key in keys() if key.path == "store.url"]
    assert shown(url, "postgresql+psycopg://me:pa:ss@host/n") == "postgresql+psycopg://me:***@host/n"


def test_every_key_has_help_that_is_a_sentence_and_a_unit_where_it_is_measured() -> None:
    for key in keys():
        assert key.help.endswith("."), key.path
        assert key.type is not float or key.unit, key.path


def test_every_default_would_be_accepted_if_it_were_set() -> None:
    for key in keys():
        if key.default not in ("", (), None):
            load(environ={key.variable: shown(key, key.default)})


def test_a_named_section_is_read_once_for_each_name_from_file_and_environment() -> None:
    file = written(
        '[services.orders]\nidempotency_key = "order/Number"\n\n'
        "[services.back-office]\nidempotency_keys = { Ping = '', Submit = 'id' }\n"
    )
    settings = load(file, environ={"SOAPBRIDGE_SERVICES_BACK_OFFICE_IDEMPOTENCY_KEY": "ticket"})
    assert settings.services["orders"].idempotency_key == "order/Number"
    assert settings.services["back-office"].idempotency_key == "ticket"
    assert settings.services["back-office"].idempotency_keys == {"Ping": "", "Submit": "id"}
    assert settings.sources["services.orders.idempotency_key"] == "bridge.toml:2"
    paths = [key.path for key in keys_of(settings)]
    assert "services.back-office.idempotency_keys" in paths
    assert [
        settings.value(key) for key in keys_of(settings) if key.path == "services.orders.idempotency_key"
    ] == ["order/Number"]


def test_a_table_of_texts_is_written_with_equals_signs_in_the_environment() -> None:
    file = written("[services.orders]\n")
    environ = {"SOAPBRIDGE_SERVICES_ORDERS_IDEMPOTENCY_KEYS": "Submit=order/Number, Ping="}
    settings = load(file, environ=environ)
    assert settings.services["orders"].idempotency_keys == {"Submit": "order/Number", "Ping": ""}


def test_mistakes_in_named_sections_say_where_they_stand_and_what_there_is() -> None:
    found = mistakes(
        "[services.orders]\nidempotency_kee = 'x'\nidempotency_keys = [1]\n",
        {"SOAPBRIDGE_SERVICES_SHOP_IDEMPOTENCY_KEY": "x", "SOAPBRIDGE_SERVICES_WHAT": "x"},
    )
    assert sorted(found) == [
        "SOAPBRIDGE_SERVICES_SHOP_IDEMPOTENCY_KEY: no setting reads this variable; did you mean SOAPBRIDGE_SERVICES_ORDERS_IDEMPOTENCY_KEY?",
        "SOAPBRIDGE_SERVICES_WHAT: no setting reads this variable; name it in the settings file first: [services.NAME]",
        "bridge.toml:2: there is no key services.orders.idempotency_kee; did you mean idempotency_key?",
        'bridge.toml:3: services.orders.idempotency_keys must be a table of texts ({ a = "b" }; in the environment a=b, c=d), not [1]',
    ]
    assert mistakes("services = 3\n") == (
        "bridge.toml:1: services has a section for each name: write [services.NAME] and its keys below",
    )
    assert mistakes("[services]\norders = 3\n") == (
        "bridge.toml:2: services.orders is a section: write [services.orders] and its keys below",
    )


def test_a_time_zone_is_that_of_the_contract_else_the_one_of_all() -> None:
    file = written('[contracts]\nzone = "Europe/Berlin"\n[services.orders]\nzone = "Asia/Shanghai"\n')
    settings = load(file, environ={})
    assert str(settings.zone("orders")) == "Asia/Shanghai"
    assert str(settings.zone("stock")) == "Europe/Berlin"
    assert load(written(""), environ={}).zone("orders") is UTC


@pytest.mark.parametrize("zone", ["Europe/Atlantis", "../../etc/passwd", "+08:00"])
def test_a_time_zone_that_is_none_is_a_mistake_with_its_place(zone: str) -> None:
    found = mistakes(f'[contracts]\nzone = "{zone}"\n[services.orders]\nzone = "{zone}"\n')
    assert len(found) == 2
    assert "bridge.toml:2: contracts.zone:" in found[0]
    assert "bridge.toml:4: services.orders.zone:" in found[1]
    assert all("Asia/Shanghai" in mistake for mistake in found)


def test_the_hours_of_a_partner_are_by_its_own_zone_else_the_one_of_all() -> None:
    file = written(
        '[contracts]\nzone = "Europe/Berlin"\n[partners.erp]\nzone = "Asia/Shanghai"\n[partners.crm]\n'
    )
    settings = load(file, environ={})
    assert str(settings.partner_zone("erp")) == "Asia/Shanghai"
    assert str(settings.partner_zone("crm")) == "Europe/Berlin"


def test_hours_that_cannot_be_read_are_told_together_each_with_its_line_and_how_to_write_it() -> None:
    found = mistakes(
        '[partners.erp]\nopen = ["Mon-Fri 06:00-22:00", "Mon-Fry 06:00-22:00", "Sat"]\nzone = "Europe/Atlantis"\n'
        '[partners.crm]\nopen = "25:00-26:00"\n'
    )
    assert [one.partition(": ")[0] for one in found] == ["bridge.toml:3"] + ["bridge.toml:2"] * 2 + [
        "bridge.toml:5"
    ]
    assert "partners.erp.open: 'Fry' is no day; did you mean Fri?" in found[1]
    assert "partners.erp.open: 'Sat' has no times: write it like Mon-Fri 06:00-22:00" in found[2]
    assert "partners.crm.open: '25:00-26:00' has a time that no clock shows" in found[3]


def test_several_hours_may_come_from_the_environment() -> None:
    environ = {"SOAPBRIDGE_PARTNERS_ERP_OPEN": "Mon-Fri 06:00-22:00, Sat Sun 08:00-12:00"}
    settings = load(written("[partners.erp]\n"), environ=environ)
    assert settings.partners["erp"].open == ("Mon-Fri 06:00-22:00", "Sat Sun 08:00-12:00")


def test_a_lease_that_an_attempt_may_outlive_is_refused_where_it_was_set() -> None:
    (found,) = mistakes("[delivery]\nlease = 100\n[partners.erp]\n[partners.crm]\ndeadline = 49.9\n")
    assert found == (
        "bridge.toml:2: delivery.lease (100 s) must be more than twice partners.erp.deadline (60 s), else others take a key "
        "over whose document is still being sent: set delivery.lease above 120, or a shorter deadline"
    )
    (found,) = mistakes("[partners.erp]\ndeadline = 75\n")
    assert found.startswith(
        "bridge.toml:2: delivery.lease (150 s) must be more than twice partners.erp.deadline (75 s)"
    )
