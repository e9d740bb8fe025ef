# SPDX-License-Identifier: Apache-2.0
"""An iSCSI initiator for tests (RFC 7143): one connection, by hand, so that a test can do what no
good initiator does. CHAP with every algorithm, CRC32C digests, text, SCSI, task management."""

import hashlib
import os
import select
import socket
import struct

CHAP = {5: "md5", 6: "sha1", 7: "sha256", 8: "sha3_256"}
NONE = 0xFFFFFFFF


class Refused(Exception):
    """The login was refused: its status."""


def crc_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


TABLE = crc_table()


def crc32c(data):
    crc = NONE
    for byte in data:
        crc = TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return struct.pack("<I", crc ^ NONE)


class Pdu:
    def __init__(self, header, data):
        self.header, self.data = header, data
        self.opcode, self.flags = header[0] & 0x3F, header[1]
        self.itt, self.ttt, self.stat_sn = struct.unpack(">III", header[16:28])

    def keys(self):
        pairs = [p.split(b"=", 1) for p in self.data.split(b"\0") if p]
        return [(k.decode(), v.decode()) for k, v in pairs]

    def word(self, at):
        return struct.unpack(">I", self.header[at:at + 4])[0]


class Initiator:
    def __init__(self, port, address="127.0.0.1", name="iqn.2026-11.segue.test:one", timeout=600):
        self.socket = socket.create_connection((address, port), timeout=timeout)
        self.name, self.isid = name, b"\x80" + os.urandom(5)
        self.itt, self.cmd_sn, self.exp_stat_sn = 0, 1, 0
        self.header_digest = self.data_digest = False
        self.chap_back = None

    def close(self):
        self.socket.close()

    # ---- PDUs ----

    def send(self, opcode, flags, data=b"", lun=bytes(8), itt=None, rest=b"", break_data=False,
             break_header=False, ahs=b""):
        """`rest` is what stands behind the initiator task tag."""
        if itt is None:
            self.itt += 1
            itt = self.itt
        header = bytes([opcode, flags, 0, 0, len(ahs) // 4]) + len(data).to_bytes(3, "big")
        header += lun + struct.pack(">I", itt) + rest.ljust(28, b"\0") + ahs
        if self.header_digest:
            digest = crc32c(header)
            header += bytes(b ^ 1 for b in digest) if break_header else digest
        if data:
            data += bytes(-len(data) % 4)
            if self.data_digest:
                digest = crc32c(data)
                data += bytes(b ^ 1 for b in digest) if break_data else digest
        self.socket.sendall(header + data)
        return itt

    def take(self, length):
        data = b""
        while len(data) < length:
            part = self.socket.recv(length - len(data))
            if not part:
                raise EOFError("the target has closed the connection")
            data += part
        return data

    def receive(self):
        header = self.take(48)
        if self.header_digest and self.take(4) != crc32c(header):
            raise ValueError("the target's header digest is wrong")
        length = int.from_bytes(header[5:8], "big")
        data = self.take(length + -length % 4)
        if self.data_digest and length and self.take(4) != crc32c(data):
            raise ValueError("the target's data digest is wrong")
        pdu = Pdu(header, data[:length])
        if pdu.opcode in (0x21, 0x22, 0x23, 0x24, 0x26, 0x3F, 0x32) or \
                (pdu.opcode == 0x25 and pdu.flags & 1):
            self.exp_stat_sn = (pdu.stat_sn + 1) & NONE
        return pdu

    def readable(self, seconds):
        return bool(select.select([self.socket], [], [], seconds)[0])

    def expect(self, opcode):
        """The next PDU of that opcode; pings are answered meanwhile."""
        while True:
            pdu = self.receive()
            if pdu.opcode == 0x20 and pdu.itt == NONE and pdu.ttt != NONE:
                self.send(0x40, 0x80, itt=NONE, rest=struct.pack(
                    ">III", pdu.ttt, self.cmd_sn, self.exp_stat_sn))
                continue
            if pdu.opcode != opcode:
                raise ValueError("PDU %#x came, %#x expected: %s" % (pdu.opcode, opcode,
                                                                    pdu.header.hex()))
            return pdu

    # ---- login ----

    def login_request(self, flags, keys):
        text = b"".join(("%s=%s" % k).encode() + b"\0" for k in keys)
        header = bytes([0x43, flags, 0, 0, 0]) + len(text).to_bytes(3, "big") + self.isid + bytes(2)
        header += struct.pack(">IHHII", 1, 1, 0, self.cmd_sn, self.exp_stat_sn) + bytes(16)
        self.socket.sendall(header + text + bytes(-len(text) % 4))
        pdu = self.receive()
        status = struct.unpack(">H", pdu.header[36:38])[0]
        if status:
            error = Refused("%04x" % status)
            error.keys = pdu.keys()
            raise error
        return dict(pdu.keys())

    def login(self, target=None, user=None, secret=None, algorithm=7, back=None, more=()):
        """`target` None: discovery. `back`: (name, secret) that the target must prove."""
        names = [("InitiatorName", self.name)]
        names += [("TargetName", target), ("SessionType", "Normal")] if target else \
            [("SessionType", "Discovery")]
        if user is None:
            answer = self.login_request(0x87, names + list(more))
        else:
            self.prove(names, user, secret, algorithm, back)
            answer = self.login_request(0x87, list(more))
        self.header_digest = answer.get("HeaderDigest") == "CRC32C"
        self.data_digest = answer.get("DataDigest") == "CRC32C"
        return answer

    def prove(self, names, user, secret, algorithm, back):
        self.login_request(0x01, names + [("AuthMethod", "CHAP")])
        asked = self.login_request(0x00, [("CHAP_A", str(algorithm))])
        if int(asked["CHAP_A"]) != algorithm:
            raise ValueError("the target chose CHAP_A=%s" % asked["CHAP_A"])
        challenge = bytes.fromhex(asked["CHAP_C"][2:])

        def response(identifier, key, what):
            return hashlib.new(CHAP[algorithm], bytes([identifier]) + key.encode() + what).digest()

        keys = [("CHAP_N", user), ("CHAP_R", "0x" + response(int(asked["CHAP_I"]), secret,
                                                              challenge).hex())]
        mine = os.urandom(24)
        if back:
            keys += [("CHAP_I", "77"), ("CHAP_C", "0x" + mine.hex())]
        answer = self.login_request(0x81, keys)
        if back and (answer.get("CHAP_N"), answer.get("CHAP_R")) != \
                (back[0], "0x" + response(77, back[1], mine).hex()):
            raise ValueError("the target has not proved who it is: %s" % answer)

    # ---- full feature ----

    def serials(self):
        return struct.pack(">II", self.cmd_sn, self.exp_stat_sn)

    def text(self, keys, **options):
        text = b"".join(("%s=%s" % k).encode() + b"\0" for k in keys)
        self.send(0x04, 0x80, text, rest=struct.pack(">I", NONE) + self.serials(), **options)
        if options:
            return None
        self.cmd_sn += 1
        return self.expect(0x24).keys()

    def lun(self, number):
        return struct.pack(">H", number if number < 256 else 0x4000 | number) + bytes(6)

    def command(self, lun, cdb, expected=0, data=b"", read=True, final=True, **options):
        """Sends it; returns its tag. Data is immediate."""
        flags = (0x80 if final else 0) | (0x40 if read and expected else 0) | \
            (0x20 if not read else 0) | 1
        itt = self.send(0x01, flags, data, self.lun(lun),
                        rest=struct.pack(">I", expected) + self.serials() + cdb.ljust(16, b"\0"),
                        **options)
        self.cmd_sn += 1
        return itt

    def data_out(self, itt, ttt, data_sn, offset, data, final=True, **options):
        self.send(0x05, 0x80 if final else 0, data, itt=itt,
                  rest=struct.pack(">III", ttt, 0, self.exp_stat_sn) + bytes(4) +
                  struct.pack(">II", data_sn, offset), **options)

    def answer(self):
        """Of the one command under way: (status, sense or data, flags, residual)."""
        data = b""
        while True:
            pdu = self.receive()
            if pdu.opcode == 0x25:
                data += pdu.data
                if pdu.flags & 1:
                    return pdu.header[3], data, pdu.flags, pdu.word(44)
            elif pdu.opcode == 0x21:
                sense = pdu.data[2:] if pdu.data else b""
                return pdu.header[3], sense if pdu.header[3] else data, pdu.flags, pdu.word(44)
            elif pdu.opcode == 0x20 and pdu.ttt != NONE:
                self.send(0x40, 0x80, itt=NONE, rest=struct.pack(">I", pdu.ttt) + self.serials())
            else:
                raise ValueError("PDU %#x came while a command is answered" % pdu.opcode)

    def scsi(self, lun, cdb, expected=0, data=b"", read=True):
        self.command(lun, bytes(cdb), expected, data, read)
        return self.answer()

    def sense(self, lun, cdb=bytes(6), expected=0):
        """(key, asc, ascq) of a command, () if it is good, or its status."""
        status, data, _, _ = self.scsi(lun, cdb, expected)
        if status == 2 and data[0] & 0x7E == 0x72:
            return data[1] & 15, data[2], data[3]
        if status == 2:
            return data[2] & 15, data[12], data[13]
        return () if status == 0 else status

    def calm(self, lun):
        """Every unit attention of the LUN that was pending, in their order."""
        seen = []
        while len(seen) < 20:
            found = self.sense(lun)
            if not found or found[0] != 6:
                return seen
            seen.append(found)
        return seen

    def report_luns(self):
        status, data, _, _ = self.scsi(0, bytes([0xA0]) + bytes(5) + struct.pack(">I", 4096), 4096)
        if status:
            raise ValueError("REPORT LUNS: status %d" % status)
        length = struct.unpack(">I", data[:4])[0]
        return [struct.unpack(">H", data[i:i + 2])[0] & 0x3FFF for i in range(8, 8 + length, 8)]

    def serial(self, lun):
        """What VPD page 80 calls the volume at that LUN, or None."""
        status, data, _, _ = self.scsi(lun, bytes([0x12, 1, 0x80, 0, 255]), 255)
        return data[4:].decode() if status == 0 else None

    def task(self, function, lun=0, referenced=NONE):
        self.send(0x42, 0x80 | function, lun=self.lun(lun),
                  rest=struct.pack(">I", referenced) + self.serials())
        return self.expect(0x22).header[2]

    def logout(self):
        self.send(0x46, 0x80, rest=struct.pack(">HH", 1, 0) + self.serials())
        return self.expect(0x26).header[2]
