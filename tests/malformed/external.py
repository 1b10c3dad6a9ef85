"""External data that leaves the model's folder or does not fit its file."""

import os
from pathlib import Path

from cases import case, header, w, with_weight

SECRET = Path("..") / "secret.bin"


def weight(*entries, dims=(2, 2), dtype=w.FLOAT):
    """A TensorProto whose data is elsewhere; entries are key and value."""
    out = header(list(dims), dtype)
    for key, value in entries:
        out += w.data(13, w.data(1, key) + w.data(2, value))
    return out + w.number(14, 1)


def at(location, offset="0", length="16"):
    return with_weight(weight(("location", location), ("offset", offset), ("length", length)))


def data_file(folder, name="weights.bin", size=64):
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(bytes(size))


def secret(folder):
    (folder / SECRET).write_bytes(bytes(64))


@case
def external_parent(folder):
    """../secret.bin"""
    secret(folder)
    return at("../secret.bin")


@case
def external_parent_hidden(folder):
    """sub/../../secret.bin"""
    secret(folder)
    (folder / "sub").mkdir(exist_ok=True)
    return at("sub/../../secret.bin")


@case
def external_absolute():
    """/etc/passwd"""
    return at("/etc/passwd")


@case
def external_symlink(folder):
    """a link to a file outside"""
    secret(folder)
    link = folder / "weights.bin"
    link.unlink(missing_ok=True)
    link.symlink_to(SECRET)
    return at("weights.bin")


@case
def external_symlink_inside(folder):
    """a link to a file inside"""
    data_file(folder, "real.bin")
    link = folder / "weights.bin"
    link.unlink(missing_ok=True)
    link.symlink_to("real.bin")
    return at("weights.bin")


@case
def external_symlinked_folder(folder):
    """a linked folder on the way"""
    secret(folder)
    link = folder / "sub"
    link.unlink(missing_ok=True)
    link.symlink_to("..")
    return at("sub/secret.bin")


@case
def external_hardlink(folder):
    """a second name of a file outside"""
    secret(folder)
    link = folder / "weights.bin"
    link.unlink(missing_ok=True)
    os.link(folder / SECRET, link)
    return at("weights.bin")


@case
def external_fifo(folder):
    """a pipe, on which a reader would wait for ever"""
    pipe = folder / "weights.bin"
    pipe.unlink(missing_ok=True)
    os.mkfifo(pipe)
    return at("weights.bin")


@case
def external_folder(folder):
    """a folder"""
    (folder / "weights.bin").mkdir(exist_ok=True)
    return at("weights.bin")


@case
def external_device():
    """a device by its absolute path"""
    return at("/dev/zero")


@case
def external_missing():
    """a file that is not there"""
    return at("nowhere.bin")


@case
def external_memory_marker():
    """an address in this process, as another runtime spells it"""
    return at("*/_ORT_MEM_ADDR_/*", offset="140737488355328")


@case
def external_without_location():
    """no location"""
    return with_weight(weight(("offset", "0")))


@case
def external_empty_location():
    """an empty location"""
    return at("")


@case
def external_unknown_key(folder):
    """a key that the standard does not have"""
    data_file(folder)
    return with_weight(weight(("location", "weights.bin"), ("handler", "system")))


@case
def external_key_twice(folder):
    """two offsets"""
    data_file(folder)
    return with_weight(weight(("location", "weights.bin"), ("offset", "0"), ("offset", "16")))


@case
def external_offset_wraps(folder):
    """offset 2^64 - 16"""
    data_file(folder)
    return at("weights.bin", offset=str(2**64 - 16))


@case
def external_offset_beyond_64_bits(folder):
    """offset 2^64"""
    data_file(folder)
    return at("weights.bin", offset=str(2**64))


@case
def external_offset_negative(folder):
    """offset -1"""
    data_file(folder)
    return at("weights.bin", offset="-1")


@case
def external_offset_hexadecimal(folder):
    """offset 0x10"""
    data_file(folder)
    return at("weights.bin", offset="0x10")


@case
def external_length_huge(folder):
    """length 2^62 for 16 bytes"""
    data_file(folder)
    return at("weights.bin", length=str(2**62))


@case
def external_length_too_short(folder):
    """length 8 for 16 bytes"""
    data_file(folder)
    return at("weights.bin", length="8")


@case
def external_file_too_short(folder):
    """16 bytes at offset 56 of 64"""
    data_file(folder)
    return at("weights.bin", offset="56")


@case
def external_dims_beyond_the_file(folder):
    """dims that ask for more than the file has"""
    data_file(folder)
    return with_weight(weight(("location", "weights.bin"), dims=(1 << 20, 1 << 10)))


@case
def external_strings(folder):
    """strings in a file"""
    data_file(folder)
    return with_weight(weight(("location", "weights.bin"), dtype=w.STRING))


@case
def external_and_raw(folder):
    """raw_data beside external data"""
    data_file(folder)
    return with_weight(weight(("location", "weights.bin")) + w.data(9, bytes(16)))


@case
def external_without_saying_so(folder):
    """external_data but data_location DEFAULT"""
    data_file(folder)
    return with_weight(header([2, 2]) + w.data(13, w.data(1, "location") +
                                               w.data(2, "weights.bin")))
