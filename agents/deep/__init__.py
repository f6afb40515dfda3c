"""Our own deep agents: a readable DQN on torch, and a quicker one for networks of dense layers."""
