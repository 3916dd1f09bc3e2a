"""Audio and its descriptions: SDP, RTP, RTCP, G.711, DTMF, playout and recording, without sockets."""
