"""The parts of lab-vm that need no machine: how it is put together, and how what it says is read."""

from pathlib import Path

import pytest

from tests.lab_vm import cpio, debian, image, machine, record

KERNEL = debian.Kernel(Path("/k/vmlinuz"), Path("/k/lib/modules/6.1.0"))
SAID = "@@ begin ipvs\n# kernel: 6.1.0\n$ ipvsadm -Ln\nTCP 10.0.0.1:80\n[exit 1]\n## next\nok - it works\n@@ end 0\n"


def test_the_kernel_is_what_the_meta_package_depends_on() -> None:
    """The name of the package holds the version, so the folder in the cache does too."""
    said = "linux-image-cloud-amd64\n  Depends: linux-image-6.1.0-56-cloud-amd64\n"
    assert debian.dependency(said) == "linux-image-6.1.0-56-cloud-amd64"
    with pytest.raises(debian.CannotGetError, match="apt-get update"):
        debian.dependency("linux-image-cloud-amd64\n")


def test_a_module_brings_what_it_needs_and_nothing_else() -> None:
    """A pattern is held against the module's name, not its path or its suffix."""
    text = "net/ip_vs_rr.ko.xz: net/ip_vs.ko.xz lib/crc.ko.xz\nnet/ip_vs.ko.xz: lib/crc.ko.xz\nlib/crc.ko.xz:\n"
    assert image.wanted_modules(text, ("ip_vs_rr",)) == {"net/ip_vs_rr.ko.xz", "net/ip_vs.ko.xz", "lib/crc.ko.xz"}
    assert image.wanted_modules(text, ("cr?",)) == {"lib/crc.ko.xz"}


def test_libraries_and_the_loader_are_read_from_ldd() -> None:
    """The kernel's own page of code has no file."""
    text = "\tlinux-vdso.so.1 (0x7ff)\n\tlibc.so.6 => /lib/libc.so.6 (0x7f1)\n\t/lib64/ld-linux-x86-64.so.2 (0x7f2)\n"
    assert image.libraries(text) == ["/lib/libc.so.6", "/lib64/ld-linux-x86-64.so.2"]


def test_an_archive_is_read_back_as_it_was_written() -> None:
    """Folders come before what is in them, each once; everything starts at a multiple of four; the first entry wins."""
    entries = [cpio.file("/a/b/c", b"12345"), cpio.link("a/b/d", "c"), cpio.file("a/b/c", b"other")]
    assert _read(cpio.archive(entries)) == [
        ("a", 0o040755, b""),
        ("a/b", 0o040755, b""),
        ("a/b/c", 0o100755, b"12345"),
        ("a/b/d", 0o120777, b"c"),
        ("TRAILER!!!", 0, b""),
    ]


def test_the_machine_has_no_network_and_two_serial_lines() -> None:
    """What the kernel prints does not come between what the scenario says."""
    argv = machine.arguments(KERNEL, Path("/i"), "tcg", "ipvs", Path("/s"))
    assert argv[argv.index("-nic") + 1] == "none"
    assert [argv[at + 1] for at, word in enumerate(argv) if word == "-serial"] == ["file:/s/kernel", "file:/s/said"]
    assert "lab_vm=ipvs" in argv[argv.index("-append") + 1]
    assert "-no-reboot" in argv


def test_without_a_device_file_kvm_is_not_tried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Software emulation is chosen, with the reason."""
    monkeypatch.setattr(machine, "KVM_DEVICE", tmp_path / "kvm")
    chosen, why = machine.fastest(KERNEL, tmp_path)
    assert chosen == "tcg"
    assert str(tmp_path / "kvm") in why


def test_a_device_file_behind_which_no_guest_starts_is_not_kvm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The device is there, the guest stays silent: its QEMU is ended, and software emulation chosen."""
    (tmp_path / "kvm").write_text("")
    qemu = tmp_path / "qemu"
    qemu.write_text("#!/bin/sh\nexec sleep 20\n")
    qemu.chmod(0o755)
    monkeypatch.setattr(machine, "KVM_DEVICE", tmp_path / "kvm")
    monkeypatch.setattr(machine, "QEMU", str(qemu))
    monkeypatch.setitem(machine.START_LIMIT, "kvm", 0.2)
    chosen, why = machine.fastest(KERNEL, tmp_path)
    assert chosen == "tcg"
    assert "no guest starts" in why


def test_a_boot_that_ends_early_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A QEMU that ends without the scenario's last line has shown nothing; what it said is in the error."""
    qemu = tmp_path / "qemu"
    qemu.write_text("#!/bin/sh\necho no such processor >&2\n")
    qemu.chmod(0o755)
    monkeypatch.setattr(machine, "QEMU", str(qemu))
    with pytest.raises(machine.MachineError, match="no such processor"):
        machine.boot(KERNEL, tmp_path, "tcg", "ipvs")


def test_what_a_scenario_says_is_read() -> None:
    """Facts, commands with what they said, claims."""
    said = record.parse(record.body(SAID))
    assert said.facts == {"kernel": "6.1.0"}
    assert said.every("ipvsadm") == ["TCP 10.0.0.1:80\n[exit 1]"]
    assert said.claims == {"it works": True}


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (SAID, []),
        (SAID.replace("ok - it works", "not ok - it works"), ["it works"]),
        (SAID.replace("end 0", "end 2"), ["the scenario's script went to its end"]),
        (SAID.replace("ok - it works\n", ""), ["the scenario claims something"]),
    ],
)
def test_a_scenario_fails_by_a_claim_by_its_script_or_by_claiming_nothing(text: str, wrong: list[str]) -> None:
    """Each is named."""
    assert record.failures(text) == wrong


def _read(archive: bytes) -> list[tuple[str, int, bytes]]:
    found, at = [], 0
    while at < len(archive):
        assert archive[at : at + 6] == b"070701"
        fields = [int(archive[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        name_end = at + 110 + fields[11]
        content_at = name_end + -name_end % 4
        end = content_at + fields[6]
        found.append((archive[at + 110 : name_end - 1].decode(), fields[1], archive[content_at:end]))
        at = end + -end % 4
    return found
