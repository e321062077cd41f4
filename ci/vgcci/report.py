"""What a gate run leaves behind: summary.json, junit.xml, results.sarif."""

import json
import xml.etree.ElementTree as ElementTree
from dataclasses import asdict

from . import files

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def _clean(text):
    """Only characters that XML may hold."""
    return "".join(c if c in "\t\n\r" or " " <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" else "?" for c in text)


def write_json(path, run):
    files.write(path, json.dumps({
        "verdict": run.verdict, "exit_code": run.exit_code, "commit": run.commit, "dirty": run.dirty, "seed": run.seed,
        "mode": run.mode, "shard": run.shard, "seconds": round(run.seconds, 1),
        "stages": [{"name": s.name, "status": s.status, "seconds": round(s.seconds, 1), "passed": s.passed,
                    "failed": s.failed, "not_run": s.not_run, "detail": s.detail,
                    "items": [asdict(item) for item in s.items]} for s in run.stages],
        "findings": [asdict(finding) for finding in run.findings],
    }, indent=2) + "\n")


def write_junit(path, run):
    top = ElementTree.Element("testsuites", name="vgc gate", time=f"{run.seconds:.1f}")
    for stage in run.stages:
        items = stage.items
        suite = ElementTree.SubElement(top, "testsuite", name=stage.name, time=f"{stage.seconds:.1f}",
                                       tests=str(max(1, len(items))),
                                       failures=str(sum(i.status == "failed" for i in items)),
                                       skipped=str(sum(i.status == "not run" for i in items)))
        if not items:  # a stage that never began must not vanish
            case = ElementTree.SubElement(suite, "testcase", classname=stage.name, name=stage.name)
            if stage.status == "failed":
                ElementTree.SubElement(case, "failure", message=_clean(stage.detail))
            elif stage.status != "passed":
                ElementTree.SubElement(case, "skipped", message=_clean(stage.detail))
        for item in items:
            case = ElementTree.SubElement(suite, "testcase", classname=stage.name, name=_clean(item.name),
                                          time=f"{item.seconds:.2f}")
            if item.status == "failed":
                failure = ElementTree.SubElement(case, "failure", message=_clean(item.detail))
                failure.text = _clean(f"{item.command}\n\n{item.output}")
            elif item.status == "not run":
                ElementTree.SubElement(case, "skipped", message=_clean(item.detail))
    ElementTree.indent(top)
    files.write(path, ElementTree.tostring(top, encoding="utf-8", xml_declaration=True))


def write_sarif(path, run):
    kinds = sorted({finding.kind for finding in run.findings})
    results = []
    for finding in run.findings:
        result = {"ruleId": finding.kind, "level": "error",
                  "message": {"text": f"{finding.title}\nreproduce: {finding.command}"},
                  "partialFingerprints": {"stacks/v1": finding.fingerprint},
                  "occurrenceCount": finding.count}
        if finding.file:
            result["locations"] = [{"physicalLocation": {
                "artifactLocation": {"uri": finding.file, "uriBaseId": "SRCROOT"},
                "region": {"startLine": max(1, finding.line)}}}]
        results.append(result)
    files.write(path, json.dumps({
        "$schema": SARIF_SCHEMA, "version": "2.1.0",
        "runs": [{"tool": {"driver": {"name": "vgc gate", "version": run.commit[:12],
                                      "rules": [{"id": kind} for kind in kinds]}},
                  "automationDetails": {"id": f"gate/{run.mode}/{run.commit[:12]}"}, "results": results}]}, indent=2)
        + "\n")


def write_all(folder, run):
    write_json(folder / "summary.json", run)
    write_junit(folder / "junit.xml", run)
    write_sarif(folder / "results.sarif", run)
