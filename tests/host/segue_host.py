# SPDX-License-Identifier: Apache-2.0
"""An iSCSI initiator in a page, for tests that must see every status, every sense and every unit
attention, choose their own session identifier, or behave badly. RFC 7143; one command at a time."""

import select
import socket
import struct
import time

LOGIN, TEXT, COMMAND, DATA_OUT, LOGOUT, NOP_OUT = 0x03, 0x04, 0x01, 0x05, 0x06, 0x00
NOP_IN, RESPONSE, DATA_IN, R2T, REJECT, ASYNC = 0x20, 0x21, 0x25, 0x31, 0x3F, 0x32
NO_TAG = 0xFFFFFFFF
GOOD, CHECK_CONDITION, CONFLICT = 0x00, 0x02, 0x18
UNIT_ATTENTION = 6


class Closed(Exception):
    """The array has ended the connection."""


def text_of(keys):
    return b"".join(k.encode() + b"=" + v.encode() + b"\0" for k, v in keys)


class Connection:
    """PDUs on a socket, as they are."""

    def __init__(self, port, timeout=600):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.settimeout(timeout)

    def send(self, header, data=b""):
        header = bytearray(header.ljust(48, b"\0"))
        header[5:8] = len(data).to_bytes(3, "big")
        try:
            self.socket.sendall(bytes(header) + data + bytes(-len(data) % 4))
        except (BrokenPipeError, ConnectionResetError):
            raise Closed() from None

    def take(self, size):
        got = b""
        while len(got) < size:
            try:
                piece = self.socket.recv(size - len(got))
            except ConnectionResetError:
                piece = b""
            if not piece:
                raise Closed()
            got += piece
        return got

    def receive(self):
        """(header, data) of the next PDU."""
        header = self.take(48)
        size = int.from_bytes(header[5:8], "big")
        return header, self.take(size + -size % 4)[:size]

    def readable(self, seconds):
        return bool(select.select([self.socket], [], [], seconds)[0])

    def closed_within(self, seconds):
        """Whether the other side ends it; what it says until then is dropped."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.readable(0.1):
                try:
                    if not self.socket.recv(1 << 16):
                        return True
                except OSError:
                    return True
        return False

    def close(self):
        self.socket.close()


class Session(Connection):
    """A normal session: an I_T nexus of its own by name and number."""

    def __init__(self, port, target, name="iqn.2026-11.com.example:test", number=1, timeout=600,
                 keys=()):
        super().__init__(port, timeout)
        self.itt, self.cmd_sn, self.stat_sn = 1, 1, 0
        isid = b"\x80\x00\x00\x00" + struct.pack(">H", number)
        said = text_of((("InitiatorName", name), ("TargetName", target), ("SessionType", "Normal"),
                        ("HeaderDigest", "None"), ("DataDigest", "None"), ("InitialR2T", "No"),
                        ("ImmediateData", "Yes"), ("MaxRecvDataSegmentLength", "262144"), *keys))
        self.send(struct.pack(">BB6x6sHIHxxII", 0x40 | LOGIN, 0x87, isid, 0, 1, 0, self.cmd_sn, 0),
                  said)
        header, self.answer = self.receive()
        self.status = struct.unpack(">H", header[36:38])[0]
        self.tsih = struct.unpack(">H", header[14:16])[0]
        if header[0] != 0x23 or self.status != 0:
            raise Closed()
        self.stat_sn = struct.unpack(">I", header[24:28])[0] + 1

    def command_header(self, lun, cdb, expected, flags):
        """A SCSI Command PDU's header, with the next tag and number."""
        self.itt += 1
        header = struct.pack(">BBxxxxxxHxxxxxxIIII16s", COMMAND, 0x81 | flags, lun, self.itt,
                             expected, self.cmd_sn, self.stat_sn, cdb.ljust(16, b"\0"))
        self.cmd_sn += 1
        return header

    def _answer_ping(self, header):
        if struct.unpack(">I", header[20:24])[0] != NO_TAG:
            self.send(struct.pack(">BBxxxxxx8sIIII", 0x40 | NOP_OUT, 0x80, header[8:16], NO_TAG,
                                  struct.unpack(">I", header[20:24])[0], self.cmd_sn, self.stat_sn))

    def _send_data(self, header, out, limit=8192):
        ttt, _, _, _, offset, length = struct.unpack(">6I", header[20:44])
        number = 0
        while length > 0:
            part = min(length, limit)
            self.send(struct.pack(">BBxxxxxx8sIIxxxxIxxxxII", DATA_OUT, 0x80 if part == length else 0,
                                  header[8:16], self.itt, ttt, self.stat_sn, number, offset),
                      out[offset:offset + part])
            offset, length, number = offset + part, length - part, number + 1

    def command(self, lun, cdb, out=b"", read=0):
        """One command from its CDB to its status. Returns (status, (key, ASC/ASCQ) or None, data)."""
        now = out[:8192]
        flags = 0x20 if out else 0x40 if read else 0
        self.send(self.command_header(lun, cdb, len(out) or read, flags), now)
        data = bytearray()
        while True:
            header, segment = self.receive()
            opcode = header[0] & 0x3F
            if opcode == NOP_IN:
                self._answer_ping(header)
            elif opcode == R2T:
                self._send_data(header, out)
            elif opcode == DATA_IN:
                offset = struct.unpack(">I", header[40:44])[0]
                data[offset:offset + len(segment)] = segment
                if header[1] & 1:
                    self.stat_sn = struct.unpack(">I", header[24:28])[0] + 1
                    return header[3], None, bytes(data)
            elif opcode == RESPONSE:
                self.stat_sn = struct.unpack(">I", header[24:28])[0] + 1
                return header[3], sense_of(segment), bytes(data)
            elif opcode == REJECT:
                raise Closed("rejected, reason %d" % header[2])

    def settle(self, lun):
        """TEST UNIT READY until no unit attention is left. Returns their codes."""
        codes = []
        while len(codes) < 20:
            status, sense, _ = self.command(lun, bytes(6))
            if status != CHECK_CONDITION or sense[0] != UNIT_ATTENTION:
                break
            codes.append(sense[1])
        return codes


def sense_of(segment):
    """(key, ASC << 8 | ASCQ) of the data segment of a SCSI Response."""
    sense = segment[2:]
    if len(sense) < 8:
        return None
    if sense[0] & 0x7F in (0x72, 0x73):
        return sense[1] & 15, sense[2] << 8 | sense[3]
    return sense[2] & 15, sense[12] << 8 | sense[13]
