"""gSOAP as a driver (protocol: tests/interop/driver.py): C++ made from ?wsdl, and a program that calls with it.

wsdl2h and soapcpp2 make a class for each type and a proxy. The program around them is the same for every contract: it reads
the request's payload into its class, calls the proxy's method of that operation, and writes what came back.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

PROGRAM = """
#include "soap%(proxy)sProxy.h"
#include "%(proxy)s.nsmap"
#include <iostream>
#include <sstream>

static void tell(const char *kind, const std::string &text)
{
    std::cout << kind << " " << text.size() << "\\n" << text << std::flush;
}

int main()
{
    %(proxy)sProxy proxy(SOAP_C_UTFSTRING);
    soap *soap = proxy.soap;
    soap->connect_timeout = soap->send_timeout = soap->recv_timeout = 20;
    std::string operation, line;
    while (std::cin >> operation && std::getline(std::cin, line) && std::getline(std::cin, line)) {
        std::istringstream in(line);
        std::ostringstream out;
        soap->is = &in;
        int status = SOAP_NO_METHOD;
        const char *step = "call";
%(cases)s
        soap->is = NULL;
        soap->os = NULL;
        if (status == SOAP_OK) {
            tell("reply", out.str());
        } else {
            soap_set_fault(soap);
            SOAP_ENV__Detail *detail = soap->version == 2 ? soap->fault->SOAP_ENV__Detail : soap->fault->detail;
            std::ostringstream text;
            soap->os = &text;
            if (detail && std::string(step) == "call") {
                soap_write_SOAP_ENV__Detail(soap, detail);
                soap->os = NULL;
                tell("fault", text.str());
            } else {
                soap->os = NULL;
                soap_stream_fault(soap, text);
                tell("error", std::string(step) + ": " + text.str());
            }
        }
        soap_destroy(soap);
        soap_end(soap);
    }
    return 0;
}
"""

CASE = """
        if (operation == "%(operation)s") {
            %(request)s *request = soap_new_%(request)s(soap);
            %(reply)s reply;
            reply.soap_default(soap);
            step = "read";
            if ((status = soap_read_%(request)s(soap, request)) == SOAP_OK) {
                step = "call";
                soap->is = NULL;
                if ((status = proxy.%(operation)s(request, reply)) == SOAP_OK) {
                    soap->os = &out;
                    status = soap_write_%(reply)s(soap, &reply);
                }
            }
        }
"""


def say(message: dict[str, Any]) -> None:
    print(json.dumps(message, ensure_ascii=False), flush=True)


def build(wsdl: str, soap: str, folder: Path) -> Path:
    """The program for this contract and SOAP version; soapcpp2 writes the version into the table of namespaces."""
    folder = folder / re.sub(r"\W+", "-", f"{wsdl}-{soap}")
    program = folder / "program"
    if program.exists():
        return program
    folder.mkdir(parents=True)
    run(folder, "wsdl2h", "-v", "-o", "contract.h", wsdl)
    run(
        folder,
        "soapcpp2",
        "-2" if soap == "1.2" else "-1",
        "-C",
        "-j",
        "-x",
        "-w",
        "-I/usr/share/gsoap/import",
        "contract.h",
    )
    (header,) = folder.glob("soap*Proxy.h")
    proxy = header.name.removeprefix("soap").removesuffix("Proxy.h")
    methods = re.findall(r"virtual int (\w+[^_\W])\((\w+) \*\w+, (\w+) &\w+\)", header.read_text())
    cases = [CASE % {"operation": name, "request": given, "reply": got} for name, given, got in methods]
    (folder / "program.cpp").write_text(PROGRAM % {"proxy": proxy, "cases": "".join(cases)})
    sources = ["program.cpp", "soapC.cpp", f"soap{proxy}Proxy.cpp"]
    run(folder, "g++", "-O0", "-w", "-o", "program", *sources, "-lgsoap++")
    return program


def run(folder: Path, *command: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {(done.stderr or done.stdout)[-400:]}")


def payload(qualified: list[Any]) -> str:
    """[Clark name, attributes, text or children] as XML on one line."""
    name, attributes, content = qualified
    namespace, local = re.fullmatch(r"\{(.*)\}(.*)", name).groups()  # type: ignore[union-attr]
    inner = escape(content) if isinstance(content, str) else "".join(map(payload, content))
    given = "".join(f" {name}={quoteattr(value)}" for name, value in attributes.items())
    return f"<{local} xmlns={quoteattr(namespace)}{given}>{inner}</{local}>".replace("\n", "&#10;")


def main() -> None:
    start = json.loads(sys.stdin.readline())
    try:
        program = build(start["wsdl"], start["soap"], Path(start["folder"]))
    except Exception as error:
        say({"error": str(error)})
        return
    told = subprocess.run(["soapcpp2", "-V"], capture_output=True, text=True, check=False)
    found = re.search(r"\d+\.\d+\.\d+", told.stdout + told.stderr)
    say({"version": found[0] if found else "unknown"})
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for line in sys.stdin:
            call = json.loads(line)
            process.stdin.write(f"{call['operation']}\n{payload(call['qualified'])}\n".encode())
            process.stdin.flush()
            kind, _, length = process.stdout.readline().decode().partition(" ")
            if not length:
                say({"error": "the program ended"})
                return
            text = process.stdout.read(int(length)).decode()
            say({"fault": {"detail": text}} if kind == "fault" else {kind: text})
        process.stdin.close()


main()
