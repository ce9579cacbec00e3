import Testing

@testable import Machines

@Suite struct GDBPacketTests {
    private func events(_ text: String) -> [GDBPacketDecoder.Event] { events(Array(text.utf8)) }
    private func events(_ bytes: [UInt8]) -> [GDBPacketDecoder.Event] {
        var decoder = GDBPacketDecoder()
        return bytes.compactMap { decoder.take($0) }
    }
    private func command(_ text: String) -> GDBCommand { GDBCommand(Array(text.utf8)) }

    @Test func aPacketHasASum() {
        // The manual's own example.
        #expect(GDBPacket.encode(Array("OK".utf8)) == Array("$OK#9a".utf8))
        #expect(events("$OK#9a") == [.packet(Array("OK".utf8))])
        #expect(events("$OK#9A") == [.packet(Array("OK".utf8))])
        #expect(events("$#00") == [.packet([])])
        #expect(events("$OK#9b") == [.corrupt])
        #expect(events("$OK#zz$OK#9a") == [.corrupt, .packet(Array("OK".utf8))])
    }

    @Test func whatIsBetweenPacketsIsSeen() {
        #expect(events("+-\u{3}x$?#3f") == [.acknowledged, .refused, .interrupt, .packet(Array("?".utf8))])
        // Inside a packet the byte 3 is a byte.
        #expect(events(GDBPacket.encode([3])) == [.packet([3])])
        // One that was cut off, and the next.
        #expect(events("$m12$?#3f") == [.packet(Array("?".utf8))])
    }

    @Test func everyByteGoesThrough() {
        let all = (0...255).map { UInt8($0) }
        #expect(events(GDBPacket.encode(all)) == [.packet(all)])
        // An escape at the end of a body.
        #expect(events("$}#7d") == [.packet([])])
    }

    @Test func aPacketThatIsTooLongIsRefused() {
        let most = [UInt8](repeating: 0x61, count: GDBPacket.mostBytes)
        #expect(events(GDBPacket.encode(most)) == [.packet(most)])
        #expect(events(GDBPacket.encode(most + [0x61])) == [.corrupt])
    }

    @Test func commandsAreRead() {
        #expect(command("?") == .why)
        #expect(command("m ffffffff81000000,10") == .unknown)
        #expect(command("mffffffff81000000,10") == .readMemory(0xffff_ffff_8100_0000, count: 16))
        #expect(command("M10,2:abCD") == .writeMemory(0x10, [0xab, 0xcd]))
        #expect(GDBCommand(Array("X10,2:".utf8) + [0, 0x24]) == .writeMemory(0x10, [0, 0x24]))
        #expect(command("p10") == .readRegister(16))
        #expect(command("P10=00ff") == .writeRegister(16, [0, 255]))
        #expect(command("c") == .resume(stepping: nil, at: nil))
        #expect(command("s1000") == .resume(stepping: .selected, at: 0x1000))
        #expect(command("C05;20") == .resume(stepping: nil, at: 0x20))
        #expect(command("vCont;c") == .resume(stepping: nil, at: nil))
        #expect(command("vCont;s:2;c") == .resume(stepping: .thread(2), at: nil))
        #expect(command("Z0,1000,1") == .insert(.init(kind: .software, address: 0x1000, size: 1)))
        #expect(command("z1,1000,8") == .remove(.init(kind: .hardware, address: 0x1000, size: 8)))
        #expect(command("Hg-1") == .select(thread: -1))
        #expect(command("Hc2") == .selectForResume(thread: 2))
        #expect(command("T1f") == .isAlive(thread: 31))
        #expect(command("qSupported:multiprocess+;swbreak+") == .supported)
        #expect(command("qXfer:features:read:target.xml:0,ffb") == .readDescription(offset: 0, count: 0xffb))
        #expect(command("qThreadExtraInfo,2") == .threadText(thread: 2))
        #expect(command("vKill;1") == .kill)
        #expect(command("D;1") == .detach)
    }

    @Test func whatIsNoCommandIsNone() {
        for text in [
            "", "m", "m10", "m10,", "m10000000000000000,1", "m10,ffffffffffffffff", "M10,2:ab", "M10,1:zz", "M10,1:a",
            "X10,3:a", "p", "P1", "P1=0", "Z2,10,4", "Z0,10", "Z9,10,1", "H", "Hx1", "T", "vCont;x", "vCont;s:zz",
            "qXfer:features:read:other.xml:0,10", "qXfer:features:read:target.xml:-1,10",
            "qXfer:features:read:target.xml:0", "qThreadExtraInfo,zz", "\u{7f}", "Gz",
        ] { #expect(command(text) == .unknown, "\(text)") }
    }
}
